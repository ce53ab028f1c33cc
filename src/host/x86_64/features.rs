//! What the host has, and what of it is to be used.

use std::arch::is_x86_feature_detected as has;

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident = $detect:expr;)*) => {
        #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
        pub struct Features {
            $($(#[$doc])* pub $name: bool,)*
        }

        impl Features {
            /// What this processor has.
            pub fn detect() -> Features {
                Features { $($name: $detect,)* }
            }

            /// Each with whether it is there.
            pub fn listed(self) -> impl Iterator<Item = (&'static str, bool)> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }

            fn named(&mut self, name: &str) -> Option<&mut bool> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }
    };
}

features! {
    /// What generated code takes for granted: x86-64-v3, AES and carry-less multiplication. Without it guests are interpreted.
    avx2 = has!("avx2") && has!("fma") && has!("bmi1") && has!("bmi2") && has!("lzcnt") && has!("movbe") && has!("f16c")
        && has!("aes") && has!("pclmulqdq");
    /// The SHA extensions.
    sha = has!("sha");
    /// Galois-field instructions, VEX-encoded: any linear function of a byte's bits.
    gfni = has!("gfni");
    /// AVX-512 as of Ice Lake and Zen 4: everything that works on xmm0 to xmm15 does so on xmm16 to xmm31.
    avx512 = has!("avx512f") && has!("avx512vl") && has!("avx512bw") && has!("avx512dq") && has!("vaes") && has!("vpclmulqdq");
}

impl Features {
    /// Those of these that a list with commas leaves: all but the ones named with a minus, or only the ones named without.
    pub fn masked(mut self, list: &str) -> Result<Features, String> {
        let all = self;
        for (i, item) in list.split(',').filter(|item| !item.is_empty()).enumerate() {
            let (name, wanted) = item.strip_prefix('-').map_or((item, true), |name| (name, false));
            if i == 0 && wanted {
                self = Features { avx2: all.avx2, ..Features::default() };
            }
            let has = { all }.named(name).map(|has| *has);
            match (self.named(name), has) {
                (Some(feature), Some(has)) => *feature = wanted && has,
                _ => return Err(format!("does not know {name:?}")),
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Features;

    #[test]
    fn a_list_leaves_what_it_says() {
        let all = Features { avx2: true, sha: true, gfni: false, avx512: true };
        let some = Features { avx512: false, ..all };
        assert_eq!(all.masked(""), Ok(all));
        assert_eq!(all.masked("avx2"), Ok(Features { avx2: true, ..Features::default() }));
        assert_eq!(all.masked("-avx2"), Ok(Features { avx2: false, ..all }));
        assert_eq!(all.masked("-avx512"), Ok(some));
        assert_eq!(all.masked("avx2,sha"), Ok(some));
        assert_eq!(some.masked("avx512,sha"), Ok(some));
        assert!(all.masked("avx3").is_err());
    }
}
