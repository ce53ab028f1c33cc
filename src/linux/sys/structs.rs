//! The structs of system calls, each once. Members are named as the manual pages name them; nested structs are written flat.
use crate::layout;
layout! {
    Timespec32 = "timespec" { tv_sec: Long, tv_nsec: Long }
}
