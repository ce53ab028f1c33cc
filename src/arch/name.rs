//! Short names that lie in their table. A `&str` is an address, which a position-independent program writes into its pages each time it starts;
//! a table with such names is only read, so all processes share it, and most touch none of it.

/// A name of up to `N` bytes, none of which is 0.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name<const N: usize>([u8; N]);

impl<const N: usize> Name<N> {
    /// # Panics
    /// If the name is too long: while compiling, for a constant.
    pub const fn new(name: &str) -> Name<N> {
        let bytes = name.as_bytes();
        assert!(bytes.len() <= N, "the name is too long for its table");
        let mut all = [0; N];
        let mut i = 0;
        while i < bytes.len() {
            all[i] = bytes[i];
            i += 1;
        }
        Name(all)
    }

    pub fn as_str(&self) -> &str {
        let len = self.0.iter().position(|b| *b == 0).unwrap_or(N);
        std::str::from_utf8(&self.0[..len]).unwrap_or_default()
    }
}

impl<const N: usize> std::fmt::Debug for Name<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn a_name_is_what_it_was() {
        for name in ["", "x", "four"] {
            assert_eq!(Name::<4>::new(name).as_str(), name);
        }
    }

    #[test]
    #[should_panic(expected = "too long")]
    fn a_longer_one_is_refused() {
        Name::<4>::new("fiver");
    }
}
