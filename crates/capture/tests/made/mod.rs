//! Capture files made by hand, block by block, in either byte order and any version.

#![allow(dead_code, reason = "each test file uses its part")]

/// A file in the making.
#[derive(Clone, Debug, Default)]
pub(crate) struct Made {
    pub(crate) bytes: Vec<u8>,
    big: bool,
}

/// The body of a block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    big: bool,
}

impl Body {
    /// An empty one of the same byte order.
    pub(crate) fn fresh(&self) -> Self {
        Self {
            bytes: Vec::new(),
            big: self.big,
        }
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn number<const N: usize>(mut self, mut little: [u8; N]) -> Self {
        if self.big {
            little.reverse();
        }
        self.bytes.extend_from_slice(&little);
        self
    }

    pub(crate) fn u8(self, v: u8) -> Self {
        self.number([v])
    }

    pub(crate) fn u16(self, v: u16) -> Self {
        self.number(v.to_le_bytes())
    }

    pub(crate) fn u32(self, v: u32) -> Self {
        self.number(v.to_le_bytes())
    }

    pub(crate) fn u64(self, v: u64) -> Self {
        self.number(v.to_le_bytes())
    }

    pub(crate) fn i64(self, v: i64) -> Self {
        self.number(v.to_le_bytes())
    }

    pub(crate) fn text(self, v: &[u8]) -> Self {
        self.u16(v.len() as u16).raw(v)
    }

    /// An entry after its length; `own` where the length counts itself.
    pub(crate) fn sized(self, entry: &Self, own: bool) -> Self {
        let length = entry.bytes.len() + if own { 4 } else { 0 };
        self.u32(length as u32).raw(&entry.bytes)
    }
}

impl Made {
    pub(crate) fn new(big: bool) -> Self {
        Self::nothing(big).section(1, 2, &[])
    }

    /// Without a section header.
    pub(crate) fn nothing(big: bool) -> Self {
        Self {
            bytes: Vec::new(),
            big,
        }
    }

    pub(crate) fn body(&self) -> Body {
        Body {
            bytes: Vec::new(),
            big: self.big,
        }
    }

    pub(crate) fn section(self, major: u16, minor: u16, options: &[u8]) -> Self {
        let body = self
            .body()
            .u32(0x1A2B_3C4D)
            .u16(major)
            .u16(minor)
            .u64(u64::MAX)
            .raw(options);
        self.block(0x0A0D_0D0A, &body)
    }

    pub(crate) fn block(mut self, code: u32, body: &Body) -> Self {
        let padded = body.bytes.len().next_multiple_of(4);
        let total = (padded + 12) as u32;
        let head = self.body().u32(code).u32(total);
        let mut content = body.bytes.clone();
        content.resize(padded, 0);
        let all = head.raw(&content).u32(total);
        self.bytes.extend_from_slice(&all.bytes);
        self
    }

    /// An event of today's header.
    pub(crate) fn event(self, ts: u64, tid: i64, code: u16, params: &[&[u8]]) -> Self {
        let event = self.event_body(Some(params.len() as u32), ts, tid, code, params, 2);
        let body = self.body().u16(3).raw(&event.bytes);
        self.block(0x216, &body)
    }

    /// An event of the header without the number of parameters.
    pub(crate) fn old_event(self, ts: u64, tid: i64, code: u16, params: &[&[u8]]) -> Self {
        let event = self.event_body(None, ts, tid, code, params, 2);
        let body = self.body().u16(3).raw(&event.bytes);
        self.block(0x204, &body)
    }

    pub(crate) fn event_body(
        &self,
        count: Option<u32>,
        ts: u64,
        tid: i64,
        code: u16,
        params: &[&[u8]],
        width: usize,
    ) -> Body {
        let data: usize = params.iter().map(|p| p.len() + width).sum();
        let header = if count.is_some() { 26 } else { 22 };
        let mut body = self
            .body()
            .u64(ts)
            .i64(tid)
            .u32((header + data) as u32)
            .u16(code);
        if let Some(count) = count {
            body = body.u32(count);
        }
        for param in params {
            body = match width {
                2 => body.u16(param.len() as u16),
                _ => body.u32(param.len() as u32),
            };
        }
        for param in params {
            body = body.raw(param);
        }
        body
    }
}

/// Everything a reader delivers, as text, and the error at the end.
pub(crate) fn items(mut reader: capture::Reader<&[u8]>) -> (Vec<String>, Option<capture::Error>) {
    let mut found = Vec::new();
    loop {
        match reader.next() {
            Ok(Some(item)) => found.push(show(&item)),
            Ok(None) => return (found, None),
            Err(error) => {
                assert!(matches!(reader.next(), Ok(None)), "an error is the end");
                return (found, Some(error));
            }
        }
    }
}

pub(crate) fn show(item: &capture::Item<'_>) -> String {
    match item {
        capture::Item::Event(r) => {
            let params: Vec<&[u8]> = (0..r.len()).map(|i| r.param(i)).collect();
            let (name, flags) = (r.info.id, r.flags.bits());
            format!(
                "{name} ts {} tid {} cpu {} flags {flags} {params:?}",
                r.ts, r.tid, r.cpu
            )
        }
        other => format!("{other:?}"),
    }
}

/// Delivered by [`capture::Reader::new`], which must not fail at once.
pub(crate) fn converted(bytes: &[u8]) -> (Vec<String>, Option<capture::Error>) {
    items(capture::Reader::new(bytes).expect("a capture's beginning"))
}

/// Delivered by [`capture::Reader::raw`], which must not fail at once.
pub(crate) fn raw(bytes: &[u8]) -> (Vec<String>, Option<capture::Error>) {
    items(capture::Reader::raw(bytes).expect("a capture's beginning"))
}
