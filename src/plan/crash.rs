//! Places where a test may end the process as `kill -9` does. Nothing of it is in a package: the macro is empty without
//! the feature `failpoints`.

/// Ends the process at once where the environment says `FAILPOINTS="<name>=return"`.
macro_rules! crash_point {
    ($name:literal) => {
        fail::fail_point!($name, |_| std::process::abort())
    };
}
pub(crate) use crash_point;

/// Reads `FAILPOINTS`. What it returns must be kept until the process ends.
#[cfg(feature = "failpoints")]
pub(crate) fn set_up() -> fail::FailScenario<'static> {
    fail::FailScenario::setup()
}
