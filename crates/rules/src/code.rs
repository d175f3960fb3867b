//! The codes of this crate: the hundred P01.

diag::codes! {
    YAML_SYNTAX = "P0102", "the file is not well-formed YAML",
        "The text cannot be read as YAML from the marked place on. Often the indentation of a line differs from its neighbours', a quote is not closed, or a plain text contains `: ` or ` #` and needs quotes. Nothing of the file is loaded.";
    YAML_LIMIT = "P0103", "the file asks for too much",
        "The text is larger, nested deeper, or expands to more values through its aliases than any rule file needs. The limits protect against files that are made to exhaust memory. Split a file that is honestly this large.";
    NOT_TEXT = "P0104", "the file is not text",
        "Rule files are UTF-8 text. The marked byte cannot occur in one: the file is binary or in another encoding. Convert it, for example with `iconv -t UTF-8`.";
    NOT_RULES = "P0105", "the document is not a list of items",
        "A rule file is a sequence: each rule, macro and list begins with a dash, as in `- rule: ...`. This document is something else, a mapping or a single text.";
    NOT_AN_ITEM = "P0106", "an element is not a mapping",
        "Each element of a rule file is a mapping whose first key says what it is: `rule`, `macro`, `list`, `required_engine_version` or `required_plugin_versions`.";
    MISSING_KEY = "P0107", "a key is missing",
        "The item cannot be used without this key. A rule needs `condition`, `output`, `desc` and `priority`, a macro `condition`, a list `items`. To change only a part of an existing object add `override`.";
    EMPTY_KEY = "P0108", "a key has no value",
        "The key stands there with nothing, or `null`, behind it. Give it a value, or remove it where it is optional.";
    NOT_A_SCALAR = "P0109", "a list or mapping stands where a text belongs",
        "This key takes a single value. A dash or a colon in the value may have turned it into a list or mapping; quotes prevent that.";
    EMPTY_VALUE = "P0110", "a text is empty",
        "This key takes a text of at least one character.";
    BAD_VALUE = "P0111", "a value has the wrong type",
        "The text cannot be read as the type that the key has. Truth values are y, yes, true, on, n, no, false, off in lower case, capitalised or in upper case; numbers are whole and not negative.";
    BAD_PRIORITY = "P0112", "an unknown priority",
        "Priorities are emergency, alert, critical, error, warning, notice, informational (or info) and debug, in any case.";
    NOT_A_SEQUENCE = "P0113", "a single value stands where a list belongs",
        "This key takes a sequence: `[a, b]`, or a dash before each element.";
    BAD_VERSION = "P0114", "a version cannot be read",
        "Versions have three numbers, such as `0.31.0`. For the engine version a single number N stands for 0.N.0.";
    ENGINE_TOO_OLD = "P0115", "the rules need another engine version",
        "The file asks for a newer engine than the one whose behaviour is provided, or for another major version. Its rules may use fields or constructs that do not exist here.";
    PLUGIN_MISSING = "P0116", "a required plugin is not loaded, or too old",
        "The file names plugins of which at least one must be loaded, in a compatible version: the same major number, and not older. Load the plugin in the configuration, or leave the file out.";
    NO_TARGET = "P0120", "nothing exists by that name to change",
        "An item with `append` or `override` changes an object that was defined before, in this file or an earlier one. Check the name's spelling and the order of the files.";
    SOURCE_CHANGED = "P0121", "a rule changes its source",
        "A rule keeps the event source of its first definition. A definition without `source` means `syscall`.";
    NOTHING_APPENDED = "P0122", "an appended rule has nothing to append",
        "With `append: true` a rule can add to its condition and its exceptions. Use `override` to change other keys.";
    APPEND_AND_OVERRIDE = "P0123", "`append` and `override` at once",
        "`append: true` is the old way, `override` the new one; an item uses one of them. Write `override: {condition: append}` instead of `append: true`.";
    BAD_OVERRIDE = "P0124", "an impossible override",
        "`override` maps keys of the item to `append` or `replace`. Texts, tags, exceptions and items can be appended to; `priority`, `enabled` and the other switches can only be replaced.";
    OVERRIDE_WITHOUT_KEY = "P0125", "an override of a key that is not there",
        "Each key under `override` must stand in the item itself, with the new value.";
    KEY_WITHOUT_OVERRIDE = "P0126", "a key without its override",
        "An item with `override` says for each of its keys what shall be done. This one is not mentioned, so it would be ignored.";
    ENABLE_UNKNOWN = "P0127", "a rule is switched that does not exist",
        "An item with only `rule` and `enabled` switches a rule that was defined before. There is none by that name.";
    BAD_EXCEPTION = "P0130", "a malformed exception",
        "An exception has a `name`, `fields` (a field or a list of fields), optionally `comps` of the same shape, and `values`: one entry per exception, which is a value for a single field and a list with a value for each field otherwise.";
    EXCEPTION_LENGTHS = "P0131", "an exception's lists differ in length",
        "`fields`, `comps` and each entry of `values` belong together position by position.";
    EXCEPTION_OPERATOR = "P0132", "an exception uses an unknown operator",
        "Operators of exceptions are those of conditions, such as `=`, `in`, `startswith`, also with a modifier (`startswith anyof`). With a single field only operators that take a list are possible.";
    EXCEPTION_FIELD = "P0133", "an exception uses an unknown field",
        "The field does not exist in the rule's event source.";
    EXCEPTION_FIXED = "P0134", "an exception's fields cannot be changed by appending",
        "An exception that exists takes further `values` only. A new one, on the other hand, needs `fields`.";
    UNDEFINED_MACRO = "P0140", "a macro is not defined",
        "A bare word in a condition is the name of a macro. None by that name is visible: rules see every macro, macros see those defined before them. A text on the right side of a comparison may lack quotes.";
    MACRO_LOOP = "P0141", "macros that use each other in a circle",
        "By an append the macro has come to refer to itself, directly or through others. Break the circle.";
    CONDITION_SYNTAX = "P0142", "a condition cannot be parsed",
        "The condition is not in the filter language: comparisons and macros, joined by `and` and `or`, negated by `not`, grouped by parentheses. Lists are inserted as text before parsing; a list outside of parentheses is a common cause.";
    UNKNOWN_FIELD = "P0143", "an unknown field or event type",
        "The field, or the event type it is compared with, does not exist in the rule's event source. It may come from a plugin that is not loaded. With `skip-if-unknown-filter: true` the rule is left out instead.";
    CONDITION_TYPE = "P0144", "a comparison that cannot work",
        "The operator does not suit the field's type, or the value cannot be read as one of that type.";
    BAD_OUTPUT = "P0145", "an output cannot be compiled",
        "After each `%` an output has a field or a transformer of fields. There is no way to print a per cent sign.";
    BAD_EXTRA_FIELD = "P0146", "an additional output field cannot be compiled",
        "The configuration adds a field to the alerts of this rule that does not exist in its event source.";
    TOO_LARGE = "P0147", "a condition grows too large",
        "With all lists and macros inserted the condition has more parts than any rule needs. Macros that use others twice double at every step.";
    SEVERAL_MEMORIES = "P0150", "a rule that would remember in two ways",
        "A rule has one of `sequence`, `threshold` and `first_seen`. Make two rules of it; what both need can be a macro.";
    BAD_STATEFUL = "P0151", "a malformed `sequence`, `threshold` or `first_seen`",
        "`sequence` has `steps` (at least two, each with `step`, its name, and `condition`), `within`, and optionally `by` and `until`. `threshold` has `at_least` and `within`, and optionally `by` and one of `distinct` and `sum`, which name a field. `first_seen` has `fields`, and optionally `per` and `learn`.";
    BAD_DURATION = "P0152", "a span of time cannot be read",
        "Spans of time are a whole number and a unit: ns, ms, s, m, h or d, as in `90s` or `7d`.";
    BAD_STEP_NAME = "P0153", "a step's name cannot be used",
        "Later steps and the output write a step's name before a field, as in `download.fd.name`. So it is a word of letters, digits and underscores that begins with a letter, differs from the other steps' names, and is not how fields of the source begin.";
    STEP_ALONE = "P0154", "a step says nothing of its own event",
        "What a step compares with earlier steps is only looked at for events that meet the rest of its condition, joined by `and`. Add what the event must be by itself, beginning with `evt.type`.";
    BAD_GROUP_FIELD = "P0155", "a field cannot serve here",
        "`by`, `per` and `fields` take fields with one value, or the words process, process_tree, session, container, user, connection, image and host; `sum` takes a field that is a number. Elements of lists, and fields that only conditions know, cannot be compared from event to event.";
    UNKNOWN_ITEM = "P0160", "an unknown kind of item",
        "None of the keys `rule`, `macro`, `list`, `required_engine_version`, `required_plugin_versions` is there, so the item means nothing and is left out.";
    UNKNOWN_KEY = "P0161", "an unknown key",
        "The item's kind has no such key; it is ignored. It may be misspelt or belong to another kind of item.";
    OLD_APPEND = "P0162", "`append: true` is the old way",
        "It still works. The new way says what is done to each key: `override: {condition: append}`.";
    OLD_ENABLED = "P0163", "switching a rule without `override` is the old way",
        "It still works. The new way is `enabled: ...` together with `override: {enabled: replace}`.";
    OLD_FIELD = "P0164", "a field that no longer tells anything",
        "Events are no longer split into an entering and a leaving half, so the field is constant. The comparison can be removed.";
    CONTAINER_INFO = "P0165", "`%container.info` prints nothing",
        "The placeholder of old outputs is removed from the text. Container fields are appended by the configuration's suggested output, or named explicitly.";
    LIST_NAME = "P0166", "a list's name can be misread",
        "Lists are inserted as text. A name with blanks, quotes, parentheses, commas or equal signs may be found where it is not meant, or not at all.";
    MACRO_NAME = "P0167", "a macro's name can never be used",
        "In conditions a macro's name is a word of letters, digits and underscores that begins with a letter. No condition can refer to this one.";
    UNKNOWN_SOURCE = "P0168", "a rule for an event source that is not there",
        "The rule is left out. Its source is usually provided by a plugin.";
    UNSAFE_NA = "P0169", "a comparison with `<NA>`",
        "Fields of this kind have no value where none exists, and a comparison without a value is false, also one with `<NA>`. Use `exists`.";
    TOO_MANY_EVENTS = "P0170", "a condition without a restriction to event types",
        "The rule is tried on nearly every event. Add `evt.type in (...)` in front; or set `warn_evttypes: false` if it is meant so.";
    SKIPPED = "P0171", "a rule is left out for an unknown field",
        "The rule has `skip-if-unknown-filter: true` and uses a field, event type or output that does not exist here, so it is silently not there.";
    UNUSED_MACRO = "P0172", "an unused macro",
        "No rule or macro refers to it. That is usual for macros meant for local additions; elsewhere the name may be misspelt where it was to be used.";
    UNUSED_LIST = "P0173", "an unused list",
        "No condition, list or exception refers to it. The name may be misspelt where it was to be used, or its user was removed.";
    NO_VALUES = "P0174", "an exception is appended without values",
        "The item changes nothing; the key may be misspelt (`value` for `values`).";
    SAME_EXCEPTION = "P0175", "two exceptions of one name",
        "Both take effect, but appending reaches only the first.";
    FIELD_AS_TEXT = "P0176", "a field's name is used as a text",
        "The right side of a comparison is a text, here one that is also a field's name. To compare two fields write `val(field)`.";
    TRANSFORMER_AS_TEXT = "P0177", "a transformer is used as a text",
        "The quoted right side looks like a transformer but is compared as it stands. Remove the quotes to have it evaluated.";
    NEEDLESS_REGEX = "P0178", "a regular expression without need",
        "The pattern has no special characters; `=`, `contains`, `startswith` or `endswith` do the same faster.";
    REPEATED_KEY = "P0180", "a key stands twice in a mapping",
        "The first one counts, the others are ignored.";
    PRIORITY_PREFIX = "P0181", "an abbreviated priority",
        "Falco 0.15 took any beginning of a priority's name, later versions refuse it. It is accepted here; write it out for the rule to load everywhere.";
}
