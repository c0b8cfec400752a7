//! The names of Python's builtins and methods: those that are implemented here, and those that are refused.
//!
//! A name in neither list is a `NameError` or an `AttributeError` in Python, too.

/// A list of words.
#[derive(Clone, Copy)]
pub(super) struct Names(&'static str);

impl Names {
    /// Returns the word if it is in the list.
    pub(super) fn find(self, name: &str) -> Option<&'static str> {
        self.0.split_ascii_whitespace().find(|word| *word == name)
    }

    /// Tells whether the word is in the list.
    pub(super) fn contains(self, name: &str) -> bool {
        self.find(name).is_some()
    }
}

/// The builtins that are implemented.
pub(super) const IMPLEMENTED: Names = Names(
    "abs all any bin bool bytes callable chr dict divmod enumerate filter float frozenset getattr globals hasattr hex \
    int isinstance iter len list locals map max min next object oct ord pow range repr reversed round set sorted str \
    sum tuple type zip",
);

/// The other builtins of Python.
pub(super) const REFUSED: Names = Names(
    "ArithmeticError AssertionError AttributeError BaseException BaseExceptionGroup BlockingIOError BrokenPipeError \
    BufferError BytesWarning ChildProcessError ConnectionAbortedError ConnectionError ConnectionRefusedError \
    ConnectionResetError DeprecationWarning EOFError Ellipsis EncodingWarning EnvironmentError Exception \
    ExceptionGroup FileExistsError FileNotFoundError FloatingPointError FutureWarning GeneratorExit IOError \
    ImportError ImportWarning IndentationError IndexError InterruptedError IsADirectoryError KeyError \
    KeyboardInterrupt LookupError MemoryError ModuleNotFoundError NameError NotADirectoryError NotImplemented \
    NotImplementedError OSError OverflowError PendingDeprecationWarning PermissionError ProcessLookupError \
    RecursionError ReferenceError ResourceWarning RuntimeError RuntimeWarning StopAsyncIteration StopIteration \
    SyntaxError SyntaxWarning SystemError SystemExit TabError TimeoutError TypeError UnboundLocalError \
    UnicodeDecodeError UnicodeEncodeError UnicodeError UnicodeTranslateError UnicodeWarning UserWarning ValueError \
    Warning ZeroDivisionError __build_class__ __builtins__ __debug__ __doc__ __import__ __loader__ __name__ \
    __package__ __spec__ aiter anext ascii breakpoint bytearray classmethod compile complex copyright credits \
    delattr dir eval exec exit format hash help id input issubclass license memoryview open print property quit \
    setattr slice staticmethod super vars",
);

/// Returns the methods of a type that are implemented, and its attributes that are refused.
pub(super) fn methods(kind: &str) -> (Names, Names) {
    let (here, refused) = match kind {
        "str" => (STR_METHODS, "encode format format_map maketrans translate"),
        "list" => ("copy count index", "append clear extend insert pop remove reverse sort"),
        "tuple" => ("count index", ""),
        "dict" => (
            "copy get items keys values",
            "clear fromkeys pop popitem setdefault update",
        ),
        "set" => (SET_METHODS, SET_CHANGES),
        "frozenset" => (SET_METHODS, ""),
        "dict_keys" | "dict_items" => ("isdisjoint", "mapping"),
        "dict_values" => ("", "mapping"),
        "int" | "bool" => ("bit_length", INT_REFUSED),
        "float" => ("is_integer", "as_integer_ratio conjugate fromhex hex imag real"),
        "range" => ("", "count index start step stop"),
        "slice" => ("", "indices start step stop"),
        "datetime.date" => ("isoformat", DATE_REFUSED),
        "datetime.datetime" => ("isoformat", DATETIME_REFUSED),
        "bytes" => ("", BYTES_REFUSED),
        "generator" => (
            "",
            "close gi_code gi_frame gi_running gi_suspended gi_yieldfrom send throw",
        ),
        "type" => ("", "mro"),
        _ => ("", ""),
    };
    (Names(here), Names(refused))
}

const STR_METHODS: &str = "capitalize casefold center count endswith expandtabs find index isalnum isalpha isascii isdecimal isdigit \
    isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower lstrip partition \
    removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip \
    swapcase title upper zfill";

const SET_METHODS: &str = "copy difference intersection isdisjoint issubset issuperset symmetric_difference union";

const SET_CHANGES: &str =
    "add clear difference_update discard intersection_update pop remove symmetric_difference_update update";

const INT_REFUSED: &str = "as_integer_ratio bit_count conjugate denominator from_bytes imag numerator real to_bytes";

const DATE_REFUSED: &str = "ctime fromisocalendar fromisoformat fromordinal fromtimestamp isocalendar isoweekday max min replace resolution \
    strftime timetuple today toordinal weekday";

const DATETIME_REFUSED: &str = "astimezone combine ctime date dst fold fromisocalendar fromisoformat fromordinal fromtimestamp hour isocalendar \
    isoweekday max microsecond min minute now replace resolution second strftime strptime time timestamp timetuple \
    timetz today toordinal tzinfo tzname utcfromtimestamp utcnow utcoffset utctimetuple weekday";

const BYTES_REFUSED: &str = "capitalize center count decode endswith expandtabs find fromhex hex index isalnum isalpha isascii isdigit \
    islower isspace istitle isupper join ljust lower lstrip maketrans partition removeprefix removesuffix replace \
    rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip swapcase title translate upper \
    zfill";
