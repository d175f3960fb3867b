//! The shape of a row of the field table.

use filter::{Format, Lifetime, Quantifier, Type};

/// Which listing a field stands in. The order is the one in which names are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say all there is")]
pub enum Class {
    Generic,
    Event,
    Process,
    User,
    Group,
    Descriptor,
    Path,
    FdList,
    Util,
    Container,
    Syslog,
    Mesos,
    Span,
    EvtIn,
    Static,
}

impl Class {
    /// Every class that has a table, in the order of the listings.
    pub const ALL: [Self; 14] = [
        Self::Generic,
        Self::Event,
        Self::Process,
        Self::User,
        Self::Group,
        Self::Descriptor,
        Self::Path,
        Self::FdList,
        Self::Util,
        Self::Container,
        Self::Syslog,
        Self::Mesos,
        Self::Span,
        Self::EvtIn,
    ];

    /// Name in listings. The first two share theirs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic | Self::Event => "evt",
            Self::Process => "process",
            Self::User => "user",
            Self::Group => "group",
            Self::Descriptor => "fd",
            Self::Path => "fs.path",
            Self::FdList => "fdlist",
            Self::Util => "util",
            Self::Container => "container",
            Self::Syslog => "syslog",
            Self::Mesos => "mesos",
            Self::Span => "span",
            Self::EvtIn => "evtin",
            Self::Static => "static",
        }
    }

    /// What tells classes of one name apart.
    #[must_use]
    pub const fn qualifier(self) -> Option<&'static str> {
        match self {
            Self::Generic => Some("All event types"),
            Self::Event => Some("Syscall events only"),
            _ => None,
        }
    }

    /// What its fields are about.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Generic => "What every event has, whatever source it comes from.",
            Self::Event => {
                "What system call events have besides. The parameters of each call are reached by name: \
                 evt.arg.filename."
            }
            Self::Process => {
                "The process and the thread that caused the event, and their ancestors."
            }
            Self::User => "The user on whose behalf the thread acts.",
            Self::Group => "The group on whose behalf the thread acts.",
            Self::Descriptor => {
                "The file, socket or other object behind the descriptor that the event creates, uses or closes."
            }
            Self::Path => {
                "The paths that a call names in its arguments, also of calls that work without a descriptor, such \
                 as unlink or rename. They have values where the call succeeded."
            }
            Self::FdList => "The descriptors that poll and ppoll wait for.",
            Self::Util => "For tests.",
            Self::Container => "The container that the thread runs in, and its pod.",
            Self::Syslog => "Messages written to /dev/log.",
            Self::Mesos => "Mesos and Marathon; kept so that old rule files can be read.",
            Self::Span | Self::EvtIn => "Tracers; kept so that old rule files can be read.",
            Self::Static => "Constants of the configuration.",
        }
    }
}

/// What may follow a field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arg {
    /// Nothing.
    None,
    /// `[2]` or nothing.
    Index,
    /// `[2]`
    IndexRequired,
    /// `[HOME]` or nothing.
    Key,
    /// `[HOME]`
    KeyRequired,
    /// `[2]`, `[HOME]` or nothing.
    Either,
    /// `[2]` or `[HOME]`
    EitherRequired,
    /// `.memory`
    SuffixRequired,
    /// `.flags` or `[0]`: a parameter of some event.
    Parameter,
    /// `.flags`: a parameter of some event.
    RawParameter,
    /// `.open` or `.3`: an event type.
    EventType,
    /// `.src`, `.dst` or nothing.
    PathSide,
    /// `[1700000000000000000]`: nanoseconds since the epoch.
    Moment,
    /// Anything or nothing: fields of the past.
    Loose,
    /// Anything: fields of the past.
    LooseRequired,
}

impl Arg {
    /// Whether the field resolves without an argument.
    #[must_use]
    pub const fn optional(self) -> bool {
        matches!(
            self,
            Self::None | Self::Index | Self::Key | Self::Either | Self::PathSide | Self::Loose
        )
    }
}

/// Properties of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u16);

impl Flags {
    /// Nothing special.
    pub const NONE: u16 = 0;
    /// Several values.
    pub const LIST: u16 = 1;
    /// Works, but warns.
    pub const DEPRECATED: u16 = 2;
    /// Left out of listings.
    pub const HIDDEN: u16 = 4;
    /// Means something in conditions only.
    pub const FILTER_ONLY: u16 = 8;
    /// Not on the right side of a comparison.
    pub const NO_RHS: u16 = 16;
    /// Not inside a transformer.
    pub const NO_TRANSFORMER: u16 = 32;
    /// Part of the output that alerts get by default.
    pub const SUGGESTED: u16 = 64;
    /// Without index: true if any of several values satisfies the operator.
    pub const ANY: u16 = 128;
    /// Both ends of a connection are compared.
    pub const ENDS: u16 = 256;
    /// Today's original no longer knows it.
    pub const REMOVED: u16 = 512;
    /// Prints in hexadecimal.
    pub const HEX: u16 = 1024;
    /// Prints with nine digits.
    pub const PADDED: u16 = 2048;
    /// Ours alone: not in the listings that others read.
    pub const OWN: u16 = 4096;

    /// Whether all bits of `bits` are set.
    #[must_use]
    pub const fn has(self, bits: u16) -> bool {
        self.0 & bits == bits
    }
}

/// A field.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name without argument.
    pub name: &'static str,
    /// Where it is listed.
    pub class: Class,
    /// Type of its value.
    pub ty: Type,
    /// What may follow the name.
    pub arg: Arg,
    /// Properties.
    pub flags: Flags,
    /// How long a value stays.
    pub lifetime: Lifetime,
    /// What it means.
    pub text: &'static str,
}

impl Row {
    /// How its integers print.
    #[must_use]
    pub const fn format(&self) -> Format {
        if self.flags.has(Flags::HEX) {
            Format::Hex
        } else if self.flags.has(Flags::PADDED) {
            Format::Padded
        } else {
            Format::Decimal
        }
    }

    /// How comparisons treat several values.
    #[must_use]
    pub const fn quantifier(&self, any_level: bool) -> Quantifier {
        if self.flags.has(Flags::ENDS) {
            Quantifier::Ends
        } else if self.flags.has(Flags::ANY) && any_level {
            Quantifier::Any
        } else {
            Quantifier::One
        }
    }

    /// Whether listings show it.
    #[must_use]
    pub const fn listed(&self) -> bool {
        self.flags.0 & (Flags::DEPRECATED | Flags::HIDDEN | Flags::REMOVED | Flags::OWN) == 0
    }

    /// Whether it is of use to who writes rules for this program.
    #[must_use]
    pub const fn offered(&self) -> bool {
        self.listed() || self.flags.has(Flags::OWN)
    }
}
