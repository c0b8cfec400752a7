//! The wire format of SSH: RFC 4251, section 5.

/// Bytes that are read from the front; `None` means the end, or a length beyond it.
pub(super) struct Wire<'a>(pub(super) &'a [u8]);

impl<'a> Wire<'a> {
    pub(super) fn number(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    pub(super) fn number64(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*bytes))
    }

    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        let (bytes, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn strings(mut self) -> Option<Vec<&'a [u8]>> {
        let mut all = Vec::new();
        while !self.0.is_empty() {
            all.push(self.string()?);
        }
        Some(all)
    }
}

/// Appends a string in its wire form: its length, then its bytes.
pub(super) fn put(text: &mut Vec<u8>, part: &[u8]) {
    let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
    text.extend(length.to_be_bytes());
    text.extend(part);
}
