//! What a plugin asks of tables, and what it is answered: the same whether the plugin is in this process or in a child.
//!
//! Tables, entries and fields are numbers that the answering side has given out. Those of entries and of tables inside
//! tables end with the call during which they were given.

use state::Cell;

use crate::wire::{Reader, Writer};

/// Number of the interface for signed numbers of 64 bits.
pub(crate) const INT64: u32 = 4;
/// Likewise for unsigned ones.
pub(crate) const UINT64: u32 = 8;
/// Likewise for texts.
pub(crate) const STRING: u32 = 9;
/// Likewise for tables inside tables.
pub(crate) const TABLE: u32 = 10;
/// Likewise for truth.
pub(crate) const BOOL: u32 = 25;

/// Items that are believed to be in a list.
const MOST: u32 = 1 << 20;

/// A question of a plugin's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Query {
    /// Which tables there are.
    Tables,
    /// A table.
    Find { name: String, key: u32 },
    /// The plugin has a table for others; its number there.
    Offer { name: String, key: u32, id: u64 },
    /// Which fields a table has.
    Fields { table: u64 },
    /// A field of a table; a new one where `add` says so.
    Field {
        table: u64,
        name: String,
        kind: u32,
        add: bool,
    },
    /// Number of entries.
    Size { table: u64 },
    /// An entry.
    Entry { table: u64, key: Cell },
    /// A value.
    Read { table: u64, entry: u64, field: u64 },
    /// An entry is not needed any more.
    Release { table: u64, entry: u64 },
    /// All entries.
    Walk { table: u64 },
    /// Empties a table.
    Clear { table: u64 },
    /// Takes an entry out.
    Erase { table: u64, key: Cell },
    /// Makes an entry that is in no table yet.
    Create { table: u64 },
    /// Throws such an entry away.
    Destroy { table: u64, entry: u64 },
    /// Puts such an entry in.
    Add { table: u64, key: Cell, entry: u64 },
    /// Writes a value.
    Write {
        table: u64,
        entry: u64,
        field: u64,
        value: Cell,
    },
    /// The call is over during which entries were given out.
    End,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is done.
    Done,
    /// There is no such thing, which is no error.
    Nothing,
    /// It cannot be.
    Failed(String),
    /// A size, or the number of a field or entry.
    Number(u64),
    /// A table: its number, its name, the type of its keys.
    Table { id: u64, name: String, key: u32 },
    /// Names of tables and the types of their keys.
    Tables(Vec<(String, u32)>),
    /// Names of fields, their types, whether they are read only.
    Fields(Vec<(String, u32, bool)>),
    /// Numbers of entries.
    Entries(Vec<u64>),
    /// A value.
    Value(Cell),
}

/// Answers what a plugin asks.
pub(crate) trait Host {
    /// Answers one question.
    fn answer(&mut self, query: Query) -> Answer;
}

/// Has no tables: for calls during which a plugin has no use for any.
pub(crate) struct Nobody;

impl Host for Nobody {
    fn answer(&mut self, _: Query) -> Answer {
        Answer::Failed(
            "tables are there while a plugin is initialised, while it sees or reads an event, and at the begin and \
             end of a capture"
                .to_owned(),
        )
    }
}

impl Writer {
    fn cell(&mut self, cell: &Cell) -> &mut Self {
        match cell {
            Cell::Signed(number) => self.u8(0).u64(*number as u64),
            Cell::Unsigned(number) => self.u8(1).u64(*number),
            Cell::Bool(is) => self.u8(2).u8((*is).into()),
            Cell::Text(text) => self.u8(3).blob(text),
        }
    }

    fn place(&mut self, tag: u8, table: u64, entry: u64) -> &mut Self {
        self.u8(tag).u64(table).u64(entry)
    }

    pub(crate) fn query(&mut self, query: &Query) -> &mut Self {
        match query {
            Query::Tables => self.u8(0),
            Query::Find { name, key } => self.u8(1).blob(name.as_bytes()).u32(*key),
            Query::Offer { name, key, id } => self.u8(2).blob(name.as_bytes()).u32(*key).u64(*id),
            Query::Fields { table } => self.u8(3).u64(*table),
            Query::Field {
                table,
                name,
                kind,
                add,
            } => self
                .u8(4)
                .u64(*table)
                .blob(name.as_bytes())
                .u32(*kind)
                .u8((*add).into()),
            Query::Size { table } => self.u8(5).u64(*table),
            Query::Entry { table, key } => self.u8(6).u64(*table).cell(key),
            Query::Read {
                table,
                entry,
                field,
            } => self.place(7, *table, *entry).u64(*field),
            Query::Release { table, entry } => self.place(8, *table, *entry),
            Query::Walk { table } => self.u8(9).u64(*table),
            Query::Clear { table } => self.u8(10).u64(*table),
            Query::Erase { table, key } => self.u8(11).u64(*table).cell(key),
            Query::Create { table } => self.u8(12).u64(*table),
            Query::Destroy { table, entry } => self.place(13, *table, *entry),
            Query::Add { table, key, entry } => self.place(14, *table, *entry).cell(key),
            Query::Write {
                table,
                entry,
                field,
                value,
            } => self.place(15, *table, *entry).u64(*field).cell(value),
            Query::End => self.u8(16),
        }
    }

    pub(crate) fn answer(&mut self, answer: &Answer) -> &mut Self {
        match answer {
            Answer::Done => self.u8(0),
            Answer::Nothing => self.u8(1),
            Answer::Failed(text) => self.u8(2).blob(text.as_bytes()),
            Answer::Number(number) => self.u8(3).u64(*number),
            Answer::Table { id, name, key } => self.u8(4).u64(*id).blob(name.as_bytes()).u32(*key),
            Answer::Tables(all) => {
                self.u8(5).u32(all.len() as u32);
                for (name, key) in all {
                    self.blob(name.as_bytes()).u32(*key);
                }
                self
            }
            Answer::Fields(all) => {
                self.u8(6).u32(all.len() as u32);
                for (name, kind, read_only) in all {
                    self.blob(name.as_bytes())
                        .u32(*kind)
                        .u8((*read_only).into());
                }
                self
            }
            Answer::Entries(all) => {
                self.u8(7).u32(all.len() as u32);
                for entry in all {
                    self.u64(*entry);
                }
                self
            }
            Answer::Value(cell) => self.u8(8).cell(cell),
        }
    }
}

impl Reader<'_> {
    fn cell(&mut self) -> Option<Cell> {
        Some(match self.u8()? {
            0 => Cell::Signed(self.u64()? as i64),
            1 => Cell::Unsigned(self.u64()?),
            2 => Cell::Bool(self.u8()? != 0),
            3 => Cell::Text(self.blob()?.to_vec()),
            _ => return None,
        })
    }

    pub(crate) fn query(&mut self) -> Option<Query> {
        Some(match self.u8()? {
            0 => Query::Tables,
            1 => Query::Find {
                name: self.text()?,
                key: self.u32()?,
            },
            2 => Query::Offer {
                name: self.text()?,
                key: self.u32()?,
                id: self.u64()?,
            },
            3 => Query::Fields { table: self.u64()? },
            4 => Query::Field {
                table: self.u64()?,
                name: self.text()?,
                kind: self.u32()?,
                add: self.u8()? != 0,
            },
            5 => Query::Size { table: self.u64()? },
            6 => Query::Entry {
                table: self.u64()?,
                key: self.cell()?,
            },
            7 => Query::Read {
                table: self.u64()?,
                entry: self.u64()?,
                field: self.u64()?,
            },
            8 => Query::Release {
                table: self.u64()?,
                entry: self.u64()?,
            },
            9 => Query::Walk { table: self.u64()? },
            10 => Query::Clear { table: self.u64()? },
            11 => Query::Erase {
                table: self.u64()?,
                key: self.cell()?,
            },
            12 => Query::Create { table: self.u64()? },
            13 => Query::Destroy {
                table: self.u64()?,
                entry: self.u64()?,
            },
            14 => {
                let (table, entry) = (self.u64()?, self.u64()?);
                let key = self.cell()?;
                Query::Add { table, key, entry }
            }
            15 => Query::Write {
                table: self.u64()?,
                entry: self.u64()?,
                field: self.u64()?,
                value: self.cell()?,
            },
            16 => Query::End,
            _ => return None,
        })
    }

    pub(crate) fn answer(&mut self) -> Option<Answer> {
        Some(match self.u8()? {
            0 => Answer::Done,
            1 => Answer::Nothing,
            2 => Answer::Failed(self.text()?),
            3 => Answer::Number(self.u64()?),
            4 => Answer::Table {
                id: self.u64()?,
                name: self.text()?,
                key: self.u32()?,
            },
            5 => {
                let count = self.u32()?.min(MOST);
                let all: Option<_> = (0..count)
                    .map(|_| Some((self.text()?, self.u32()?)))
                    .collect();
                Answer::Tables(all?)
            }
            6 => {
                let count = self.u32()?.min(MOST);
                let all: Option<_> = (0..count)
                    .map(|_| Some((self.text()?, self.u32()?, self.u8()? != 0)))
                    .collect();
                Answer::Fields(all?)
            }
            7 => {
                let count = self.u32()?.min(MOST);
                let all: Option<_> = (0..count).map(|_| self.u64()).collect();
                Answer::Entries(all?)
            }
            8 => Answer::Value(self.cell()?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_answers_come_back() {
        let key = Cell::Signed(-1);
        let queries = [
            Query::Tables,
            Query::Find {
                name: "threads".into(),
                key: INT64,
            },
            Query::Offer {
                name: "mine".into(),
                key: UINT64,
                id: 3,
            },
            Query::Fields { table: 1 },
            Query::Field {
                table: 1,
                name: "x".into(),
                kind: STRING,
                add: true,
            },
            Query::Size { table: 2 },
            Query::Entry {
                table: 1,
                key: key.clone(),
            },
            Query::Read {
                table: 1,
                entry: 2,
                field: 3,
            },
            Query::Release { table: 1, entry: 2 },
            Query::Walk { table: 9 },
            Query::Clear { table: 9 },
            Query::Erase {
                table: 1,
                key: key.clone(),
            },
            Query::Create { table: 1 },
            Query::Destroy { table: 1, entry: 4 },
            Query::Add {
                table: 1,
                key,
                entry: 4,
            },
            Query::Write {
                table: 1,
                entry: 2,
                field: 3,
                value: Cell::Text(b"a\0b".to_vec()),
            },
            Query::End,
        ];
        for query in queries {
            let mut out = Writer::default();
            out.query(&query);
            assert_eq!(Reader(&out.0).query(), Some(query.clone()));
            for length in 0..out.0.len() {
                assert_eq!(Reader(&out.0[..length]).query(), None, "{query:?}");
            }
        }
        let answers = [
            Answer::Done,
            Answer::Nothing,
            Answer::Failed("why".into()),
            Answer::Number(7),
            Answer::Table {
                id: 1,
                name: "threads".into(),
                key: INT64,
            },
            Answer::Tables(vec![("a".into(), 4), ("b".into(), 8)]),
            Answer::Fields(vec![("a".into(), TABLE, true)]),
            Answer::Entries(vec![1, 2]),
            Answer::Value(Cell::Bool(true)),
        ];
        for answer in answers {
            let mut out = Writer::default();
            out.answer(&answer);
            assert_eq!(Reader(&out.0).answer(), Some(answer.clone()));
            for length in 0..out.0.len() {
                assert_eq!(Reader(&out.0[..length]).answer(), None, "{answer:?}");
            }
        }
    }
}
