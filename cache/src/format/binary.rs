//! The binary file format: numbers, texts and lists, followed by the digest of everything before it.
//!
//! Numbers are little-endian and take eight bytes. Texts, byte strings and lists are preceded by their length. Arrays are not,
//! because their reader knows it. A whole file is checked by [`BinaryReader::open`]. Nothing here panics on foreign bytes, and a
//! length that reaches beyond the end is refused before any memory is reserved for it.

/// The length of the digest at the end.
const DIGEST: usize = blake3::OUT_LEN;

/// Writes the bytes of a file.
#[derive(Debug, Default)]
pub struct BinaryWriter(Vec<u8>);

impl BinaryWriter {
    /// Returns a writer with room for this many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes + DIGEST))
    }

    /// Appends a number.
    pub fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    /// Appends the number of items that follow.
    pub fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    /// Appends bytes whose length the reader knows.
    pub fn array<const N: usize>(&mut self, bytes: &[u8; N]) {
        self.0.extend(bytes);
    }

    /// Appends bytes, preceded by their length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend(bytes);
    }

    /// Appends a text.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Appends a text that may be absent, as a list of one or no items.
    pub fn maybe_text(&mut self, text: Option<&str>) {
        self.count(usize::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }

    /// Returns what was appended, as a part of another file.
    #[must_use]
    pub fn into_part(self) -> Vec<u8> {
        self.0
    }

    /// Returns the bytes of the file, with the digest.
    #[must_use]
    pub fn seal(mut self) -> Vec<u8> {
        let digest = blake3::hash(&self.0);
        self.0.extend(digest.as_bytes());
        self.0
    }
}

/// Reads the bytes of a file. Bytes that do not fit the expected type give `None`.
#[derive(Clone, Copy, Debug)]
pub struct BinaryReader<'b>(&'b [u8]);

impl<'b> BinaryReader<'b> {
    /// Checks the digest of a whole file, and returns a reader for what comes before it.
    #[must_use]
    pub fn open(file: &'b [u8]) -> Option<Self> {
        let (content, digest) = file.split_at_checked(file.len().checked_sub(DIGEST)?)?;
        (blake3::hash(content).as_bytes() == digest).then_some(Self(content))
    }

    /// Returns a reader for a part of a checked file.
    #[must_use]
    pub fn part(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    /// Returns whether everything was read.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how many bytes are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.0.len()
    }

    /// Reads a number.
    pub fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Reads a number of items.
    pub fn count(&mut self) -> Option<usize> {
        self.number()?.try_into().ok()
    }

    /// Reads bytes of a known length.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    /// Reads bytes, preceded by their length.
    pub fn bytes(&mut self) -> Option<&'b [u8]> {
        let length = self.count()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Reads a text.
    pub fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_owned()).ok()
    }

    /// Reads a text that may be absent.
    pub fn maybe_text(&mut self) -> Option<Option<String>> {
        match self.number()? {
            0 => Some(None),
            1 => Some(Some(self.text()?)),
            _ => None,
        }
    }

    /// Reads a list, item by item.
    pub fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.count()?;
        (0..count).map(|_| item(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut encoder = BinaryWriter::with_capacity(64);
        encoder.number(u64::MAX);
        encoder.array(b"abc");
        encoder.count(2);
        encoder.text("é");
        encoder.text("");
        encoder.maybe_text(None);
        encoder.maybe_text(Some("x"));
        encoder.seal()
    }

    fn read(file: &[u8]) -> Option<String> {
        let mut decoder = BinaryReader::open(file)?;
        let number = decoder.number()?;
        let array: [u8; 3] = decoder.array()?;
        let list = decoder.list(BinaryReader::text)?;
        let maybe = (decoder.maybe_text()?, decoder.maybe_text()?);
        decoder
            .is_at_end()
            .then(|| format!("{number} {array:?} {list:?} {maybe:?}"))
    }

    #[test]
    fn what_was_written_is_read_back() {
        let shown = format!(
            "{} {:?} {:?} {:?}",
            u64::MAX,
            b"abc",
            ["é", ""],
            (None::<&str>, Some("x"))
        );
        assert_eq!(read(&sample()), Some(shown));
    }

    #[test]
    fn any_changed_byte_and_any_cut_is_noticed() {
        let file = sample();
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(BinaryReader::open(&changed).is_none(), "byte {at}");
            assert!(BinaryReader::open(&file[..at]).is_none(), "length {at}");
        }
    }

    #[test]
    fn lengths_beyond_the_end_are_refused() {
        let mut encoder = BinaryWriter::default();
        encoder.number(u64::MAX);
        let part = encoder.into_part();
        assert!(BinaryReader::part(&part).bytes().is_none());
        assert!(BinaryReader::part(&part).list(BinaryReader::number).is_none());
        assert!(BinaryReader::part(&part).maybe_text().is_none());
    }
}
