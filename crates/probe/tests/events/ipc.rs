//! Semaphores of System V.

use event::constants as k;

use crate::raw::Word;
use crate::stage::{Actor, Row};

pub(crate) const ROWS: &[Row] = row![semaphores];

fn semaphores(a: &mut Actor) {
    let id = call!(
        a,
        SYS_semget,
        libc::IPC_PRIVATE,
        2,
        libc::IPC_CREAT | libc::IPC_EXCL | 0o600
    );
    assert!(id >= 0);
    let flags = k::IPC_CREAT | k::IPC_EXCL;
    sees!(a, SYSCALL_SEMGET_X, id, 0i32, 2i32, flags);
    call!(a, SYS_semget, 0x7072_6772, -1, 0);
    sees!(a, SYSCALL_SEMGET_X, -22i64, 0x7072_6772i32, -1i32, 0u32);
    call!(a, SYS_semctl, id, 1, libc::SETVAL, 5);
    let id32 = id as i32;
    sees!(
        a,
        SYSCALL_SEMCTL_X,
        0i64,
        id32,
        1i32,
        k::SETVAL as u16,
        5i32
    );
    call!(a, SYS_semctl, id, 1, libc::GETVAL, 0);
    sees!(
        a,
        SYSCALL_SEMCTL_X,
        5i64,
        id32,
        1i32,
        k::GETVAL as u16,
        0i32
    );
    call!(a, SYS_semctl, -1, 0, libc::GETVAL, 0);
    sees!(
        a,
        SYSCALL_SEMCTL_X,
        -22i64,
        -1i32,
        0i32,
        k::GETVAL as u16,
        0i32
    );
    let wish = [
        libc::sembuf {
            sem_num: 1,
            sem_op: -2,
            sem_flg: libc::IPC_NOWAIT as i16,
        },
        libc::sembuf {
            sem_num: 0,
            sem_op: 3,
            sem_flg: 0x1000,
        },
    ];
    let at = (&raw const wish).word();
    call!(a, SYS_semop, id, at, 2);
    let (now, undo) = (k::IPC_NOWAIT as u16, k::SEM_UNDO as u16);
    sees!(
        a,
        SYSCALL_SEMOP_X,
        0i64,
        2u32,
        1u16,
        -2i16,
        now,
        0u16,
        3i16,
        undo,
        id32
    );
    call!(a, SYS_semop, -1, at, 2);
    sees!(
        a,
        SYSCALL_SEMOP_X,
        -22i64,
        2u32,
        0u16,
        0i16,
        0u16,
        0u16,
        0i16,
        0u16,
        -1i32
    );
    call!(a, SYS_semctl, id, 0, libc::IPC_RMID, 0);
    sees!(
        a,
        SYSCALL_SEMCTL_X,
        0i64,
        id32,
        0i32,
        k::IPC_RMID as u16,
        0i32
    );
}
