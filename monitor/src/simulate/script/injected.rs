//! Which faults a stream was given, counted.

macro_rules! injected {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What was done to a stream's frames, each counted once, however many receivers there are. Frames that nobody
        /// was there to get are not made, and nothing is done to them.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Injected {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Injected {
            /// Each with its name.
            #[must_use]
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }

            pub(in crate::simulate) fn plus(self, other: Self) -> Self {
                Self { $($name: self.$name + other.$name,)* }
            }
        }
    };
}

injected! {
    /// DATA that were not sent: `loss`.
    lost,
    /// Copies that were sent beside the originals: `duplicate`.
    duplicated,
    /// DATA that were held back behind later ones: `reorder`.
    reordered,
    /// DATA that were delayed: `delay`.
    delayed,
    /// DATA with a wrong CHK: `crc`.
    wrong_crc,
    /// DATA that were cut: `truncate`.
    truncated,
    /// DATA of a clock that was off: `clock-offset`, `clock-drift`.
    clock_off,
    /// DATA with the time tag of an earlier one: `clock-stuck`.
    clock_stuck,
    /// DATA with a leap bit: `leap`.
    leap_bits,
    /// DATA of a second that was added: `leap`.
    leap_second,
    /// DATA whose time quality was set: `time-quality`.
    time_quality,
    /// DATA with a PMU whose STAT was changed: `stat`.
    stat,
    /// DATA that announced a change of the configuration: `config-change`.
    config_warned,
    /// Changes of the configuration.
    config_changes,
    /// Instants at which nothing was sent: `silence`.
    silent,
    /// Connections that were closed: `disconnect`.
    disconnected,
    /// DATA that left in IP fragments: `fragment`.
    fragmented,
    /// DATA whose measurements were disturbed: `sag`, `frequency-step` and the like.
    disturbed,
}
