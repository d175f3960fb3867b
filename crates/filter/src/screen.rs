//! Which of a few conditions a thread's own properties rule out, kept with the thread as bits of a word.
//!
//! Most rules that look at an `open` name programs that may do it, or must have. A program that does
//! it a thousand times is asked about that once: after that, one look at a word leaves the few
//! conditions that hang on what is opened. The word has a half for what hangs on the thread alone, and
//! one for what hangs on its relatives too, which is forgotten more often:
//!
//! ```text
//! half: | found out: 1 | events seen: 7 | ruled out: 56 |
//! ```
//!
//! Asking about all conditions is worth it only for threads that come again: the first events of a
//! thread are counted, and meet the conditions themselves.

use crate::graph::Graph;
use crate::program::{Operand, Program};
use crate::schema::{FieldSource, Keep};
use crate::workspace::Workspace;

/// Number of a screen in its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScreenId(u32);

/// Most conditions of a screen.
pub const MOST: usize = 56;
/// Events of a thread after which it is asked about.
const SEEN: u64 = 4;

const FOUND_OUT: u64 = 1 << 63;
const ONE_EVENT: u64 = 1 << MOST;
const RULED_OUT: u64 = ONE_EVENT - 1;

/// What is asked, and the conditions that require it.
type Question = (Operand, u64);

/// What is asked of a thread: of itself, and with its relatives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Screen([Vec<Question>; 2]);

impl Program {
    /// A screen for conditions that were added; `None` where their threads rule nothing out, or there
    /// are more than [`MOST`]. To be made before [`Program::finish`].
    pub fn screen(&mut self, roots: &[Option<Operand>]) -> Option<ScreenId> {
        if roots.len() > MOST {
            return None;
        }
        let mut screen = Screen(Default::default());
        for (bit, root) in roots.iter().enumerate() {
            let Some(root) = *root else { continue };
            for (asked, required) in screen.0.iter_mut().zip(self.required_of_thread(root)) {
                let Some(required) = required else { continue };
                match asked.iter_mut().find(|(one, _)| *one == required) {
                    Some((_, conditions)) => *conditions |= 1 << bit,
                    None => asked.push((required, 1 << bit)),
                }
            }
        }
        if screen.0.iter().all(Vec::is_empty) {
            return None;
        }
        let at = match self.screens.iter().position(|known| *known == screen) {
            Some(at) => at,
            None => {
                self.screens.push(screen);
                self.screens.len() - 1
            }
        };
        Some(ScreenId(
            u32::try_from(at).expect("fewer than 2^32 screens"),
        ))
    }

    /// The conditions of a screen that cannot hold for the event's thread, a bit each; none where that
    /// is not known yet.
    #[inline]
    pub fn ruled_out<S: FieldSource>(
        &self,
        graph: &Graph,
        screen: ScreenId,
        source: &S,
        workspace: &mut Workspace,
    ) -> u64 {
        let (memory, _) = workspace.parts();
        let Some([own, shared]) = memory.screen(screen.0 as usize, || source.keep()) else {
            return 0;
        };
        if own & shared & FOUND_OUT != 0 {
            return (own | shared) & RULED_OUT;
        }
        self.find_out(graph, screen, source, workspace, [own, shared])
    }

    /// The same before anything is known of the event but its thread: what was found out before.
    #[inline]
    pub fn known_ruled_out(&self, screen: ScreenId, keep: Keep, workspace: &mut Workspace) -> u64 {
        workspace.next_thread();
        let (memory, _) = workspace.parts();
        match memory.screen(screen.0 as usize, || Some(keep)) {
            Some([own, shared]) => (own | shared) & RULED_OUT,
            None => 0,
        }
    }

    /// Counts an event of a thread of which not all is known, or asks what is to be known.
    #[inline(never)]
    fn find_out<S: FieldSource>(
        &self,
        graph: &Graph,
        screen: ScreenId,
        source: &S,
        workspace: &mut Workspace,
        mut words: [u64; 2],
    ) -> u64 {
        let screen_at = screen.0 as usize;
        for (word, questions) in words.iter_mut().zip(&self.screens[screen_at].0) {
            if *word & FOUND_OUT != 0 {
                continue;
            }
            *word += ONE_EVENT;
            if *word >> MOST < SEEN && !questions.is_empty() {
                continue;
            }
            let ruled_out = questions
                .iter()
                .filter(|(required, _)| !self.holds(graph, *required, source, workspace))
                .fold(0, |bits, (_, conditions)| bits | conditions);
            *word = FOUND_OUT | ruled_out;
        }
        workspace.parts().0.keep_screen(screen_at, words);
        (words[0] | words[1]) & RULED_OUT
    }
}
