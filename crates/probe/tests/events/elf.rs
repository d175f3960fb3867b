//! The smallest programs that the kernel runs, written byte by byte: no compiler is needed, and
//! nothing happens in them but what they are made for.

const BASE: u64 = 0x40_0000;

/// A 64-bit program that exits.
pub(crate) fn exits(status: u8) -> Vec<u8> {
    let mut code = vec![0xb8, 231, 0, 0, 0]; // mov eax, exit_group
    code.extend([0xbf, status, 0, 0, 0]); // mov edi, status
    code.extend([0x0f, 0x05]); // syscall
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend(2u16.to_le_bytes()); // executable
    file.extend(62u16.to_le_bytes()); // x86_64
    file.extend(1u32.to_le_bytes());
    file.extend((BASE + 120).to_le_bytes()); // entry: behind both headers
    file.extend(64u64.to_le_bytes()); // program header
    file.extend([0; 12]); // no sections, no flags
    for n in [64u16, 56, 1, 0, 0, 0] {
        file.extend(n.to_le_bytes());
    }
    let len = 120 + code.len() as u64;
    file.extend(1u32.to_le_bytes()); // load
    file.extend(5u32.to_le_bytes()); // read, execute
    for n in [0, BASE, BASE, len, len, 0x1000] {
        file.extend(n.to_le_bytes());
    }
    file.extend(code);
    file
}

/// A 32-bit program that makes one system call after the other.
pub(crate) struct Program32 {
    code: Vec<u8>,
    data: Vec<u8>,
}

/// Where its data lie: a page behind the code, in the same mapping.
const DATA: u32 = 0x1000;

impl Program32 {
    pub(crate) fn new() -> Self {
        Self {
            code: Vec::new(),
            data: Vec::new(),
        }
    }

    /// Puts bytes into the program; gives their address.
    pub(crate) fn data(&mut self, bytes: &[u8]) -> u32 {
        while !self.data.len().is_multiple_of(4) {
            self.data.push(0);
        }
        let at = BASE as u32 + DATA + self.data.len() as u32;
        self.data.extend(bytes);
        at
    }

    /// `int 0x80` with the number of the 32-bit table.
    pub(crate) fn call(&mut self, number: u32, args: &[u32]) {
        // mov to ebx, ecx, edx, esi, edi, ebp, and eax.
        for (opcode, value) in [0xbb, 0xb9, 0xba, 0xbe, 0xbf, 0xbd].iter().zip(args) {
            self.code.push(*opcode);
            self.code.extend(value.to_le_bytes());
        }
        self.code.push(0xb8);
        self.code.extend(number.to_le_bytes());
        self.code.extend([0xcd, 0x80]);
    }

    /// The file.
    pub(crate) fn file(&self) -> Vec<u8> {
        let mut file = vec![0x7f, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        file.extend(2u16.to_le_bytes());
        file.extend(3u16.to_le_bytes()); // i386
        file.extend(1u32.to_le_bytes());
        for n in [BASE as u32 + 84, 52, 0, 0] {
            file.extend(n.to_le_bytes()); // entry, program header, no sections, no flags
        }
        for n in [52u16, 32, 1, 0, 0, 0] {
            file.extend(n.to_le_bytes());
        }
        let len = DATA + self.data.len() as u32;
        for n in [1, 0, BASE as u32, BASE as u32, len, len, 7, 0x1000] {
            file.extend(n.to_le_bytes()); // load all, read, write, execute
        }
        file.extend(&self.code);
        assert!(file.len() <= DATA as usize);
        file.resize(DATA as usize, 0);
        file.extend(&self.data);
        file
    }
}
