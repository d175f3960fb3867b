//! One condition alone.

use crate::compile_error::{CompileError, Warning};
use crate::error::ParseError;
use crate::evaluate::Memo;
use crate::graph::{Graph, NodeId};
use crate::parser;
use crate::schema::{FieldSource, Schema};

/// A compiled condition.
#[derive(Debug)]
pub struct Filter {
    graph: Graph,
    root: NodeId,
    warnings: Vec<Warning>,
}

/// A condition that does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// The text is no condition.
    #[error("at byte {}: {}", .0.at, .0)]
    Parse(#[from] ParseError),
    /// The condition makes no sense.
    #[error("at byte {}: {}", .0.span.start, .0)]
    Compile(#[from] CompileError),
}

impl FilterError {
    /// Where in the text.
    #[must_use]
    pub fn at(&self) -> usize {
        match self {
            Self::Parse(error) => error.at,
            Self::Compile(error) => error.span.start as usize,
        }
    }
}

impl Filter {
    /// Compiles a condition.
    ///
    /// # Errors
    /// [`FilterError`] when the text does not parse or the condition makes no sense.
    pub fn compile(text: &str, schema: &dyn Schema) -> Result<Self, FilterError> {
        let ast = parser::parse(text)?;
        let mut graph = Graph::new();
        let (root, warnings) = graph.add(&ast, schema)?;
        Ok(Self {
            graph,
            root,
            warnings,
        })
    }

    /// Whether it holds. The memo may be shared by calls for the same filter only.
    #[inline]
    pub fn matches<S: FieldSource>(&self, source: &S, memo: &mut Memo) -> bool {
        memo.next_event();
        self.graph.evaluate(self.root, source, memo)
    }

    /// What is doubtful in it.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}
