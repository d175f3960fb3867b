//! The codes of findings in a configuration.

use diag::Code;

/// All of them.
pub const CODES: &[&Code] = &[
    &VALUE,
    &DOUBTFUL,
    &UNREADABLE,
    &NOT_YAML,
    &KEY,
    &INCLUDE,
    &OPTION,
    &PAST,
];

/// A value that cannot be used.
pub static VALUE: Code = Code {
    id: "P0601",
    title: "configuration value that cannot be used",
    explanation: "The value has a meaning that the program must not guess: a kind of engine that \
        does not exist, an output that is enabled without a target, a threshold out of its range. \
        Values of a wrong type elsewhere only leave the default in place, as Falco does, and are \
        reported as P0605.",
};

/// A value that works, but hardly as meant.
pub static DOUBTFUL: Code = Code {
    id: "P0602",
    title: "doubtful configuration",
    explanation: "The configuration works, but what it says contradicts itself or uses a spelling \
        that is about to disappear.",
};

/// A file that cannot be read.
pub static UNREADABLE: Code = Code {
    id: "P0603",
    title: "configuration file that cannot be read",
    explanation: "The file named by -c, or included by config_files, exists no more, is a \
        directory, is not UTF-8 text, or may not be read by this user.",
};

/// A file that is not YAML.
pub static NOT_YAML: Code = Code {
    id: "P0604",
    title: "configuration file that is not a YAML map",
    explanation: "A configuration file is one YAML document, and that document is a map of keys. \
        Nesting and the total number of values (aliases count as often as they are used) are \
        limited.",
};

/// A key that is unknown or whose value has another shape.
pub static KEY: Code = Code {
    id: "P0605",
    title: "key that the schema does not know",
    explanation: "The file was compared with the schema that --config-schema prints. An unknown \
        key has no effect, often because of a typing error; a value of another type leaves the \
        default in place. Neither stops the program.",
};

/// A file that must not be included so.
pub static INCLUDE: Code = Code {
    id: "P0606",
    title: "included configuration that includes further files",
    explanation: "Files named by config_files may not name further ones, and the main file may \
        not include itself.",
};

/// An override that cannot be applied.
pub static OPTION: Code = Code {
    id: "P0607",
    title: "option -o that cannot be applied",
    explanation: "An option is KEY=VALUE. KEY is a path such as engine.kind, rules[0].enable.tag \
        or plugins[].name; `[]` appends, and a backslash takes the next character as it is. VALUE \
        is one scalar, or YAML between braces.",
};

/// A key of an older release.
pub static PAST: Code = Code {
    id: "P0608",
    title: "key of an older release",
    explanation: "Older releases of Falco had this key. Where its meaning can still be had, it is \
        read as today's key or keeps its meaning; where its subject has gone, it has no effect. \
        The message says which.",
};
