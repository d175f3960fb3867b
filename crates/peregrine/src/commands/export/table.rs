//! A table on its way into a Parquet file: rows gather in columns, and leave as a row group when there are enough.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

/// Bytes of texts after which a row group ends, however few rows it has.
const GROUP_BYTES: usize = 64 << 20;
/// Rows of a row group.
pub(super) const GROUP_ROWS: usize = 1 << 17;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// 64 bits with a sign.
    Signed,
    /// 64 bits without one.
    Unsigned,
    /// Floating point.
    Double,
    /// Truth.
    Truth,
    /// UTC, nanoseconds since 1970.
    Time,
    /// UTF-8.
    Text,
}

impl Kind {
    fn column(self, name: &str) -> parquet::errors::Result<Type> {
        let (physical, logical) = match self {
            Self::Signed => (Physical::INT64, None),
            Self::Unsigned => (Physical::INT64, Some(LogicalType::integer(64, false))),
            Self::Double => (Physical::DOUBLE, None),
            Self::Truth => (Physical::BOOLEAN, None),
            Self::Time => (
                Physical::INT64,
                Some(LogicalType::timestamp(true, TimeUnit::NANOS)),
            ),
            Self::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .build()
    }
}

enum Cells {
    Whole(Vec<i64>),
    Double(Vec<f64>),
    Truth(Vec<bool>),
    Text(Vec<ByteArray>),
}

struct Column {
    cells: Cells,
    /// For each row whether it has a value: one or zero.
    present: Vec<i16>,
}

impl Column {
    fn new(kind: Kind) -> Self {
        let cells = match kind {
            Kind::Signed | Kind::Unsigned | Kind::Time => Cells::Whole(Vec::new()),
            Kind::Double => Cells::Double(Vec::new()),
            Kind::Truth => Cells::Truth(Vec::new()),
            Kind::Text => Cells::Text(Vec::new()),
        };
        Self {
            cells,
            present: Vec::new(),
        }
    }

    fn write(&mut self, group: &mut SerializedRowGroupWriter<'_, File>) -> Result<()> {
        let mut column = group
            .next_column()?
            .context("the file has fewer columns than the table")?;
        let present = Some(self.present.as_slice());
        match &mut self.cells {
            Cells::Whole(cells) => {
                column
                    .typed::<Int64Type>()
                    .write_batch(cells, present, None)?;
                cells.clear();
            }
            Cells::Double(cells) => {
                column
                    .typed::<DoubleType>()
                    .write_batch(cells, present, None)?;
                cells.clear();
            }
            Cells::Truth(cells) => {
                column
                    .typed::<BoolType>()
                    .write_batch(cells, present, None)?;
                cells.clear();
            }
            Cells::Text(cells) => {
                column
                    .typed::<ByteArrayType>()
                    .write_batch(cells, present, None)?;
                cells.clear();
            }
        }
        column.close()?;
        self.present.clear();
        Ok(())
    }
}

/// The table.
pub(super) struct Table {
    writer: SerializedFileWriter<File>,
    columns: Vec<Column>,
    most_rows: usize,
    bytes: usize,
    in_group: usize,
    rows: u64,
}

impl Table {
    /// Begins a file with columns by name and kind; `most_rows` rows form a group.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn begin(path: &Path, columns: &[(String, Kind)], most_rows: usize) -> Result<Self> {
        let fields: parquet::errors::Result<Vec<_>> = columns
            .iter()
            .map(|(name, kind)| kind.column(name).map(Arc::new))
            .collect();
        let schema = Type::group_type_builder("events")
            .with_fields(fields?)
            .build()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_created_by(format!("peregrine {}", env!("CARGO_PKG_VERSION")))
            .build();
        let file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            writer: SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))?,
            columns: columns.iter().map(|(_, kind)| Column::new(*kind)).collect(),
            most_rows: most_rows.max(1),
            bytes: 0,
            in_group: 0,
            rows: 0,
        })
    }

    /// Column `at` of the row that is made has this whole number.
    pub(super) fn whole(&mut self, at: usize, value: i64) {
        if let Cells::Whole(cells) = &mut self.columns[at].cells {
            cells.push(value);
            self.columns[at].present.push(1);
        }
    }

    /// As [`Table::whole`], for a floating point number.
    pub(super) fn double(&mut self, at: usize, value: f64) {
        if let Cells::Double(cells) = &mut self.columns[at].cells {
            cells.push(value);
            self.columns[at].present.push(1);
        }
    }

    /// As [`Table::whole`], for a truth value.
    pub(super) fn truth(&mut self, at: usize, value: bool) {
        if let Cells::Truth(cells) = &mut self.columns[at].cells {
            cells.push(value);
            self.columns[at].present.push(1);
        }
    }

    /// As [`Table::whole`], for a text; bytes that are no UTF-8 become U+FFFD.
    pub(super) fn text(&mut self, at: usize, value: &[u8]) {
        if let Cells::Text(cells) = &mut self.columns[at].cells {
            let text = String::from_utf8_lossy(value).into_owned();
            self.bytes += text.len();
            cells.push(ByteArray::from(text.into_bytes()));
            self.columns[at].present.push(1);
        }
    }

    /// Ends a row: columns that were given nothing, or nothing that fits, have none.
    ///
    /// # Errors
    /// When a row group cannot be written.
    pub(super) fn end_row(&mut self) -> Result<()> {
        self.in_group += 1;
        self.rows += 1;
        for column in &mut self.columns {
            column.present.resize(self.in_group, 0);
        }
        if self.in_group >= self.most_rows || self.bytes >= GROUP_BYTES {
            self.write_group()?;
        }
        Ok(())
    }

    fn write_group(&mut self) -> Result<()> {
        if self.in_group == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.columns {
            column.write(&mut group)?;
        }
        group.close()?;
        (self.in_group, self.bytes) = (0, 0);
        Ok(())
    }

    /// Completes the file; gives its number of rows.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.write_group()?;
        self.writer.close()?;
        Ok(self.rows)
    }
}
