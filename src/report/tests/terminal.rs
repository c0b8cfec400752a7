//! An emulated terminal for tests of what the live region leaves on the screen.

/// The parts of a terminal that the live region needs: it writes, moves the cursor up, and clears what is below.
#[derive(Default)]
pub(super) struct Terminal {
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
}

impl Terminal {
    pub(super) fn show(&mut self, text: &str) {
        let mut rest = text;
        while let Some(char) = rest.chars().next() {
            rest = &rest[char.len_utf8()..];
            match char {
                '\r' => self.column = 0,
                '\n' => (self.row, self.column) = (self.row + 1, 0),
                '\x1b' => {
                    let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                    match &rest[1..=end] {
                        "J" => self.clear_below(),
                        up => self.row -= up.strip_suffix('A').unwrap().parse::<usize>().unwrap(),
                    }
                    rest = &rest[end + 1..];
                }
                char => self.put(char),
            }
        }
    }

    fn put(&mut self, char: char) {
        self.rows.resize(self.rows.len().max(self.row + 1), Vec::new());
        let row = &mut self.rows[self.row];
        row.resize(row.len().max(self.column + 1), ' ');
        row[self.column] = char;
        self.column += 1;
    }

    fn clear_below(&mut self) {
        self.rows.truncate(self.row + 1);
        if let Some(row) = self.rows.get_mut(self.row) {
            row.truncate(self.column);
        }
    }

    pub(super) fn text(&self) -> String {
        let rows = self.rows.iter().map(|row| row.iter().collect::<String>());
        rows.collect::<Vec<_>>().join("\n")
    }
}
