//! Bugs of this crate that are planted on purpose: see `rts-proto/src/planted.rs`.

/// Whether the bug of this name is planted. Without the cfg it is `false`.
macro_rules! planted {
    ($bug:ident) => {{
        #[cfg(rts_planted)]
        let is_planted = rts_proto::planted::planted(rts_proto::planted::Bug::$bug);
        #[cfg(not(rts_planted))]
        let is_planted = false;
        is_planted
    }};
}

pub(crate) use planted;
