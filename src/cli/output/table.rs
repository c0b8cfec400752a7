//! Tables for people: aligned columns with two blanks between them, dim headers, and no drawn lines.

use std::fmt::Write as _;

use anstyle::Style;

use crate::cli::error::CliError;
use crate::cli::output::Out;
use crate::report::palette::paint;
use crate::report::text::{fit, harmless, pad, width};

/// How a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// One value of a row.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// Makes a cell with a style; the text is made harmless.
    pub(crate) fn styled(style: Style, text: impl AsRef<str>) -> Self {
        let text = harmless(text.as_ref()).into_owned();
        Self { text, style }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(Style::new(), text)
    }
}

/// The columns of a table: headers, alignment, and widths that grow with what is measured.
#[derive(Clone, Debug)]
pub(crate) struct Columns<const N: usize> {
    headers: [&'static str; N],
    align: [Align; N],
    widths: [usize; N],
    /// The limit for the width of all columns but the last.
    limit: usize,
}

impl<const N: usize> Columns<N> {
    /// Makes columns with left-aligned headers.
    pub(crate) fn new(headers: [&'static str; N]) -> Self {
        let (align, widths) = ([Align::Left; N], headers.map(width));
        Self {
            headers,
            align,
            widths,
            limit: usize::MAX,
        }
    }

    /// Aligns a column to the right.
    #[must_use]
    pub(crate) fn right(mut self, column: usize) -> Self {
        self.align[column] = Align::Right;
        self
    }

    /// Limits the width of all columns but the last; longer values are cut.
    #[must_use]
    pub(crate) fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Widens the columns for a row.
    pub(crate) fn measure(&mut self, row: &[Cell; N]) {
        for (widest, cell) in self.widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(&cell.text).min(self.limit));
        }
    }

    /// Prints the headers.
    pub(crate) fn print_headers(&self, out: &mut Out) -> Result<(), CliError> {
        let dim = out.palette.dim;
        out.line(self.render(&self.headers.map(|header| Cell::styled(dim, header))))
    }

    /// Prints a row.
    pub(crate) fn print(&self, out: &mut Out, row: &[Cell; N]) -> Result<(), CliError> {
        out.line(self.render(row))
    }

    fn render(&self, row: &[Cell; N]) -> String {
        let mut line = String::new();
        let last = row.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
        for (index, cell) in row.iter().enumerate().take(last + 1) {
            let columns = self.widths[index];
            let text = if index + 1 == N {
                cell.text.as_str().into()
            } else {
                fit(&cell.text, columns)
            };
            let blanks = columns.saturating_sub(width(&text));
            let text = match self.align[index] {
                Align::Right => format!("{:blanks$}{text}", ""),
                Align::Left if index == last => text.into_owned(),
                Align::Left => pad(&text, columns),
            };
            let gap = if index == 0 { "" } else { "  " };
            let _infallible = write!(line, "{gap}{}", paint(cell.style, text));
        }
        line
    }
}

/// Prints rows that all exist already, with headers. It prints nothing if there are no rows.
pub(crate) fn print<const N: usize>(
    out: &mut Out,
    mut columns: Columns<N>,
    rows: &[[Cell; N]],
) -> Result<(), CliError> {
    if rows.is_empty() {
        return Ok(());
    }
    for row in rows {
        columns.measure(row);
    }
    columns.print_headers(out)?;
    rows.iter().try_for_each(|row| columns.print(out, row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_by_width_and_leave_no_blanks_at_the_end() {
        let mut columns = Columns::new(["NAME", "SIZE", "NOTE"]).right(1);
        let rows = [
            [Cell::from("中文"), Cell::from("1.0 KiB"), Cell::from("x")],
            [Cell::from("a\x1b"), Cell::from("2 B"), Cell::from("")],
        ];
        for row in &rows {
            columns.measure(row);
        }
        assert_eq!(columns.render(&rows[0]), "中文   1.0 KiB  x");
        assert_eq!(columns.render(&rows[1]), "a\\x1b      2 B");
    }

    #[test]
    fn a_limit_cuts_all_columns_but_the_last() {
        let mut columns = Columns::new(["A", "B"]).limit(4);
        let row = [Cell::from("123456"), Cell::from("123456")];
        columns.measure(&row);
        assert_eq!(columns.render(&row), "123…  123456");
    }
}
