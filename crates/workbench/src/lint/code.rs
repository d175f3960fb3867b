//! The codes of this crate: the hundred P03.

diag::codes! {
    NEVER_TRUE = "P0301", "a condition that can never hold",
        "Parts that must hold together exclude each other: two different values of one field, a number below and above, a clause and its negation, event types that no event has at once. The rule is silent for ever. Often an `and` should be an `or`, or an appended condition binds otherwise than meant: put parentheses around both sides. To switch something off on purpose use `evt.num = 0`, which is left alone.";
    ALWAYS_TRUE = "P0302", "a clause that always holds",
        "The clause says nothing: it holds whatever happens, or whenever the field has a value at all. In an `and` it can be removed; in an `or` it makes all others pointless, and the rule matches far more than it seems to. To ask whether there is a value write `exists`.";
    REPEATED_CLAUSE = "P0303", "a clause that stands twice",
        "The same clause stands twice in one `and` or `or`. One of them does nothing, or should have been another one. `--fix` removes the second.";
    NOT_EQUAL_MISSING = "P0304", "`!=` that misses events without a value",
        "A comparison with a value that does not exist is false, `!=` too. So `fd.name != x` does not hold where the event has no descriptor, and such events slip through. `not fd.name = x` holds there. If only events with a value are meant, add `fd.name exists` in front, which also says so.";
    CONTAINS_PATH = "P0305", "`contains` where a path's beginning is meant",
        "`contains` finds the text anywhere: /home/eve/etc/shadow contains /etc/. An attacker makes such paths at will, to raise false alarms or, in an exception, to hide behind them. Use `startswith /etc/`, or `pmatch (/etc)` for the directory and all below it.";
    PREFIX_WITHOUT_END = "P0306", "a path's beginning that ends inside of a name",
        "`startswith /etc` also holds for /etcetera. End a directory with a slash (`startswith /etc/`), or use `pmatch (/etc)`, which compares whole names and holds for the directory itself too.";
    NAME_ONLY = "P0307", "a program known by its name alone",
        "Anybody can give a program any name: a copy or a symbolic link is enough, and a process can rename itself. A rule that looks for a name misses the copy; an exception for a name lets everything through that bears it. Ask for the file as well: `proc.exepath`, or at least that it does not lie where every user may write (`proc.is_exe_upper_layer`, `proc.exepath startswith /tmp/`).";
    UNSET_OUTPUT = "P0308", "an output with a field that its events do not have",
        "None of the event types on which the rule can hold sets the field, so it always prints <NA>. A descriptor's fields need a call that uses a descriptor; a parameter must be one of the call's own (`peregrine list events`).";
    EMPTY_LIST_ITEM = "P0309", "a list's name among constants that is no list",
        "A bare word between constants is taken as it stands if no list has that name. This one differs from a known list's name by little, so it is probably misspelt, and the comparison never finds what the list holds.";
}
