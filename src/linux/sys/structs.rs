//! The structs of system calls, each once, as asm-generic has them; x86-64's variants are in `layout.rs`, other guests' in their `linux.rs`.
//! Members are named as in the kernel's headers; nested structs are written flat, with the outer member's name in front.

use crate::layout;

layout! {
    // Single numbers behind pointers.
    Int32 = "int" { value: I32 }
    UInt32 = "unsigned" { value: U32 }
    Int64 = "long long" { value: I64 }
    LongWord = "long" { value: Long }
    ULongWord = "unsigned long" { value: ULong }
    FdPair = "int[2]" { fds: [I32; 2] }
    TwoUids = "uid_t[2]" { uids: [U32; 2] }
    Id16 = "uid16" { id: Uid16 }

    // Time.
    Timespec = "__kernel_timespec" { tv_sec: I64, tv_nsec: I64Low }
    Timespec32 = "__kernel_old_timespec" { tv_sec: Long, tv_nsec: Long }
    Timeval = "__kernel_old_timeval" { tv_sec: Long, tv_usec: Long }
    Timezone = "timezone" { tz_minuteswest: I32, tz_dsttime: I32 }
    TwoTimespecs = "__kernel_timespec[2]" { atime_sec: I64, atime_nsec: I64Low, mtime_sec: I64, mtime_nsec: I64Low }
    TwoTimespecs32 = "__kernel_old_timespec[2]" { atime_sec: Long, atime_nsec: Long, mtime_sec: Long, mtime_nsec: Long }
    TwoTimevals = "__kernel_old_timeval[2]" { atime_sec: Long, atime_usec: Long, mtime_sec: Long, mtime_usec: Long }
    Utimbuf = "utimbuf" { actime: Long, modtime: Long }
    Itimerspec = "__kernel_itimerspec" {
        it_interval_tv_sec: I64, it_interval_tv_nsec: I64Low, it_value_tv_sec: I64, it_value_tv_nsec: I64Low,
    }
    Itimerspec32 = "old_itimerspec32" { it_interval_tv_sec: Long, it_interval_tv_nsec: Long, it_value_tv_sec: Long, it_value_tv_nsec: Long }
    Itimerval = "__kernel_old_itimerval" {
        it_interval_tv_sec: Long, it_interval_tv_usec: Long, it_value_tv_sec: Long, it_value_tv_usec: Long,
    }
    Tms = "tms" { tms_utime: Long, tms_stime: Long, tms_cutime: Long, tms_cstime: Long }
    Timex = "__kernel_timex" {
        modes: U32, __pad0: I32, offset: I64, freq: I64, maxerror: I64, esterror: I64, status: I32, __pad1: I32, constant: I64, precision: I64,
        tolerance: I64, time_tv_sec: I64, time_tv_usec: I64, tick: I64, ppsfreq: I64, jitter: I64, shift: I32, __pad2: I32, stabil: I64,
        jitcnt: I64, calcnt: I64, errcnt: I64, stbcnt: I64, tai: I32, __pad3: [I32; 11],
    }
    Timex32 = "timex" {
        modes: U32, offset: Long, freq: Long, maxerror: Long, esterror: Long, status: I32, constant: Long, precision: Long, tolerance: Long,
        time_tv_sec: Long, time_tv_usec: Long, tick: Long, ppsfreq: Long, jitter: Long, shift: I32, stabil: Long, jitcnt: Long, calcnt: Long,
        errcnt: Long, stbcnt: Long, tai: I32, __pad3: [I32; 11],
    }
    Sigevent = "sigevent" { sigev_value: Ptr, sigev_signo: I32, sigev_notify: I32, sigev_notify_thread_id: I32, __pad: [I32; 11] }

    // Files.
    ProcmapQuery = "procmap_query" {
        size: U64, query_flags: U64, query_addr: U64, vma_start: U64, vma_end: U64, vma_flags: U64, vma_page_size: U64, vma_offset: U64, inode: U64,
        dev_major: U32, dev_minor: U32, vma_name_size: U32, build_id_size: U32, vma_name_addr: U64, build_id_addr: U64,
    }
    PrctlMmMap = "prctl_mm_map" {
        start_code: U64, end_code: U64, start_data: U64, end_data: U64, start_brk: U64, brk: U64, start_stack: U64, arg_start: U64, arg_end: U64,
        env_start: U64, env_end: U64, auxv: U64, auxv_size: U32, exe_fd: U32,
    }
    Stat = "stat" {
        st_dev: ULong, st_ino: ULongFit, st_mode: U32, st_nlink: U32, st_uid: U32, st_gid: U32, st_rdev: ULong, __pad1: ULong, st_size: LongFit,
        st_blksize: I32, __pad2: I32, st_blocks: Long, st_atime: Long, st_atime_nsec: ULong, st_mtime: Long, st_mtime_nsec: ULong, st_ctime: Long,
        st_ctime_nsec: ULong, __unused4: U32, __unused5: U32,
    }
    Stat64 = "stat64" {
        st_dev: U64, __pad0: [U8; 4], __st_ino: ULong, st_mode: U32, st_nlink: U32, st_uid: ULong, st_gid: ULong, st_rdev: U64, __pad3: [U8; 4],
        st_size: I64, st_blksize: ULong, st_blocks: U64, st_atime: ULong, st_atime_nsec: ULong, st_mtime: ULong, st_mtime_nsec: ULong,
        st_ctime: ULong, st_ctime_nsec: ULong, st_ino: U64,
    }
    Statx = "statx" {
        stx_mask: U32, stx_blksize: U32, stx_attributes: U64, stx_nlink: U32, stx_uid: U32, stx_gid: U32, stx_mode: U16, __spare0: U16, stx_ino: U64,
        stx_size: U64, stx_blocks: U64, stx_attributes_mask: U64, stx_atime_tv_sec: I64, stx_atime_tv_nsec: U32, __reserved0: I32,
        stx_btime_tv_sec: I64, stx_btime_tv_nsec: U32, __reserved1: I32, stx_ctime_tv_sec: I64, stx_ctime_tv_nsec: U32, __reserved2: I32,
        stx_mtime_tv_sec: I64, stx_mtime_tv_nsec: U32, __reserved3: I32, stx_rdev_major: U32, stx_rdev_minor: U32, stx_dev_major: U32,
        stx_dev_minor: U32, stx_mnt_id: U64, stx_dio_mem_align: U32, stx_dio_offset_align: U32, __spare3: [U64; 12],
    }
    Statfs = "statfs" {
        f_type: Long, f_bsize: Long, f_blocks: ULongFit, f_bfree: ULongFit, f_bavail: ULongFit, f_files: ULong, f_ffree: ULong, f_fsid: [I32; 2],
        f_namelen: Long, f_frsize: Long, f_flags: Long, f_spare: [Long; 4],
    }
    Statfs64 = "statfs64" {
        f_type: Long, f_bsize: Long, f_blocks: U64, f_bfree: U64, f_bavail: U64, f_files: U64, f_ffree: U64, f_fsid: [I32; 2], f_namelen: Long,
        f_frsize: Long, f_flags: Long, f_spare: [Long; 4],
    }
    Ustat = "ustat" { f_tfree: I32, f_tinode: ULong, f_fname: [U8; 6], f_fpack: [U8; 6] }
    Flock = "flock" { l_type: I16, l_whence: I16, l_start: LongFit, l_len: LongFit, l_pid: I32 }
    Flock64 = "flock64" { l_type: I16, l_whence: I16, l_start: I64, l_len: I64, l_pid: I32 }
    FOwnerEx = "f_owner_ex" { kind: I32, pid: I32 }
    OpenHow = "open_how" { flags: U64, mode: U64, resolve: U64 }
    Iovec = "iovec" { iov_base: Ptr, iov_len: ULong }

    // Waiting.
    Pollfd = "pollfd" { fd: I32, events: I16, revents: I16 }
    EpollEvent = "epoll_event" { events: U32, data: U64 }
    SigSet = "sigset_t" { sig: SigSet }
    SigSetArg = "sigset_argpack" { sigset: Ptr, size: ULong }

    // Processes.
    Rusage = "rusage" {
        ru_utime_tv_sec: Long, ru_utime_tv_usec: Long, ru_stime_tv_sec: Long, ru_stime_tv_usec: Long, ru_maxrss: Long, ru_ixrss: Long,
        ru_idrss: Long, ru_isrss: Long, ru_minflt: Long, ru_majflt: Long, ru_nswap: Long, ru_inblock: Long, ru_oublock: Long, ru_msgsnd: Long,
        ru_msgrcv: Long, ru_nsignals: Long, ru_nvcsw: Long, ru_nivcsw: Long,
    }
    Rlimit = "rlimit" { rlim_cur: ULong, rlim_max: ULong }
    Rlimit64 = "rlimit64" { rlim_cur: U64, rlim_max: U64 }
    Sysinfo = "sysinfo" {
        uptime: Long, loads: [ULong; 3], totalram: ULong, freeram: ULong, sharedram: ULong, bufferram: ULong, totalswap: ULong, freeswap: ULong,
        procs: U16, __pad: U16, totalhigh: ULong, freehigh: ULong, mem_unit: U32,
    }
    Utsname = "new_utsname" { sysname: [U8; 65], nodename: [U8; 65], release: [U8; 65], version: [U8; 65], machine: [U8; 65], domainname: [U8; 65] }
    SchedParam = "sched_param" { sched_priority: I32 }
    CapHeader = "__user_cap_header_struct" { version: U32, pid: I32 }

    // Sockets.
    Msghdr = "user_msghdr" {
        msg_name: Ptr, msg_namelen: I32, msg_iov: Ptr, msg_iovlen: ULong, msg_control: Ptr, msg_controllen: ULong, msg_flags: U32,
    }
    Mmsghdr = "mmsghdr" {
        msg_name: Ptr, msg_namelen: I32, msg_iov: Ptr, msg_iovlen: ULong, msg_control: Ptr, msg_controllen: ULong, msg_flags: U32,
        __end_of_msg_hdr: [ULong; 0], msg_len: U32,
    }
    Cmsghdr = "cmsghdr" { cmsg_len: ULong, cmsg_level: I32, cmsg_type: I32 }
    SockFprog = "sock_fprog" { len: U16, filter: Ptr }
    Ifreq = "ifreq" { ifr_name: [U8; 16], family: U16, data: [U8; 14], __pad: [U8; 8] }
    IfreqName = "ifreq_name" { ifr_name: [U8; 16], ifr_newname: [U8; 16], __pad: [U8; 8] }
    IfreqShort = "ifreq_short" { ifr_name: [U8; 16], ifr_flags: I16, __pad: [U8; 22] }
    IfreqInt = "ifreq_int" { ifr_name: [U8; 16], ifr_ivalue: I32, __pad: [U8; 20] }
    IfreqMap = "ifreq_map" { ifr_name: [U8; 16], mem_start: ULong, mem_end: ULong, base_addr: U16, irq: U8, dma: U8, port: U8, __pad: [U8; 3] }
    IfreqData = "ifreq_data" { ifr_name: [U8; 16], ifr_data: Ptr, __pad: [U8; 16] }
    Ifconf = "ifconf" { ifc_len: I32, ifc_buf: Ptr }
    Arpreq = "arpreq" {
        pa_family: U16, pa_data: [U8; 14], ha_family: U16, ha_data: [U8; 14], arp_flags: I32, mask_family: U16, mask_data: [U8; 14], arp_dev: [U8; 16],
    }
    Rtentry = "rtentry" {
        rt_pad1: ULong, rt_dst: [U8; 16], rt_gateway: [U8; 16], rt_genmask: [U8; 16], rt_flags: U16, rt_pad2: I16, rt_pad3: ULong, rt_pad4: Ptr,
        rt_metric: I16, rt_dev: Ptr, rt_mtu: ULong, rt_window: ULong, rt_irtt: U16,
    }

    // IPC.
    Sembuf = "sembuf" { sem_num: U16, sem_op: I16, sem_flg: I16 }
    Semid64 = "semid64_ds" {
        key: I32, uid: U32, gid: U32, cuid: U32, cgid: U32, mode: U32, seq: U16, __pad2: U16, __perm1: ULong, __perm2: ULong, sem_otime: Long,
        sem_ctime: Long, sem_nsems: ULong, __unused3: ULong, __unused4: ULong,
    }
    Shmid64 = "shmid64_ds" {
        key: I32, uid: U32, gid: U32, cuid: U32, cgid: U32, mode: U32, seq: U16, __pad2: U16, __perm1: ULong, __perm2: ULong, shm_segsz: ULong,
        shm_atime: Long, shm_dtime: Long, shm_ctime: Long, shm_cpid: I32, shm_lpid: I32, shm_nattch: ULong, __unused4: ULong, __unused5: ULong,
    }
    Msqid64 = "msqid64_ds" {
        key: I32, uid: U32, gid: U32, cuid: U32, cgid: U32, mode: U32, seq: U16, __pad2: U16, __perm1: ULong, __perm2: ULong, msg_stime: Long,
        msg_rtime: Long, msg_ctime: Long, msg_cbytes: ULong, msg_qnum: ULong, msg_qbytes: ULong, msg_lspid: I32, msg_lrpid: I32, __unused4: ULong,
        __unused5: ULong,
    }
    Shminfo64 = "shminfo64" {
        shmmax: ULong, shmmin: ULong, shmmni: ULong, shmseg: ULong, shmall: ULong, __unused1: ULong, __unused2: ULong, __unused3: ULong,
        __unused4: ULong,
    }
    ShmInfo = "shm_info" { used_ids: I32, shm_tot: ULong, shm_rss: ULong, shm_swp: ULong, swap_attempts: ULong, swap_successes: ULong }
    Seminfo = "seminfo" {
        semmap: I32, semmni: I32, semmns: I32, semmnu: I32, semmsl: I32, semopm: I32, semume: I32, semusz: I32, semvmx: I32, semaem: I32,
    }
    Msginfo = "msginfo" { msgpool: I32, msgmap: I32, msgmax: I32, msgmnb: I32, msgmni: I32, msgssz: I32, msgtql: I32, msgseg: U16 }
    MqAttr = "mq_attr" { mq_flags: Long, mq_maxmsg: Long, mq_msgsize: Long, mq_curmsgs: Long, __reserved: [Long; 4] }

    // Devices.
    Termios = "termios" { c_iflag: U32, c_oflag: U32, c_cflag: U32, c_lflag: U32, c_line: U8, c_cc: [U8; 19] }
    Termios2 = "termios2" {
        c_iflag: U32, c_oflag: U32, c_cflag: U32, c_lflag: U32, c_line: U8, c_cc: [U8; 19], c_ispeed: U32, c_ospeed: U32,
    }
    Termio = "termio" { c_iflag: U16, c_oflag: U16, c_cflag: U16, c_lflag: U16, c_line: U8, c_cc: [U8; 8] }
    Winsize = "winsize" { ws_row: U16, ws_col: U16, ws_xpixel: U16, ws_ypixel: U16 }
    BlkpgIoctlArg = "blkpg_ioctl_arg" { op: I32, flags: I32, datalen: I32, data: Ptr }
    HdGeometry = "hd_geometry" { heads: U8, sectors: U8, cylinders: U16, start: ULong }
    Fsxattr = "fsxattr" { fsx_xflags: U32, fsx_extsize: U32, fsx_nextents: U32, fsx_projid: U32, fsx_cowextsize: U32, fsx_pad: [U8; 8] }
    FileCloneRange = "file_clone_range" { src_fd: I64, src_offset: U64, src_length: U64, dest_offset: U64 }
    FstrimRange = "fstrim_range" { start: U64, len: U64, minlen: U64 }
    RtcTime = "rtc_time" {
        tm_sec: I32, tm_min: I32, tm_hour: I32, tm_mday: I32, tm_mon: I32, tm_year: I32, tm_wday: I32, tm_yday: I32, tm_isdst: I32,
    }
    RtcWkalrm = "rtc_wkalrm" {
        enabled: U8, pending: U8, tm_sec: I32, tm_min: I32, tm_hour: I32, tm_mday: I32, tm_mon: I32, tm_year: I32, tm_wday: I32, tm_yday: I32,
        tm_isdst: I32,
    }
    RtcPllInfo = "rtc_pll_info" {
        pll_ctrl: I32, pll_value: I32, pll_max: I32, pll_min: I32, pll_posmult: I32, pll_negmult: I32, pll_clock: Long,
    }
    LoopInfo = "loop_info" {
        lo_number: I32, lo_device: U32, lo_inode: ULong, lo_rdevice: U32, lo_offset: I32, lo_encrypt_type: I32, lo_encrypt_key_size: I32,
        lo_flags: I32, lo_name: [U8; 64], lo_encrypt_key: [U8; 32], lo_init: [ULong; 2], reserved: [U8; 4],
    }
    LoopInfo64 = "loop_info64" {
        lo_device: U64, lo_inode: U64, lo_rdevice: U64, lo_offset: U64, lo_sizelimit: U64, lo_number: U32, lo_encrypt_type: U32,
        lo_encrypt_key_size: U32, lo_flags: U32, lo_file_name: [U8; 64], lo_crypt_name: [U8; 64], lo_encrypt_key: [U8; 32], lo_init: [U64; 2],
    }
    VtMode = "vt_mode" { mode: I8, waitv: I8, relsig: I16, acqsig: I16, frsig: I16 }
    VtStat = "vt_stat" { v_active: U16, v_signal: U16, v_state: U16 }
    Mtop = "mtop" { mt_op: I16, mt_count: I32 }
    Mtget = "mtget" { mt_type: Long, mt_resid: Long, mt_dsreg: Long, mt_gstat: Long, mt_erreg: Long, mt_fileno: I32, mt_blkno: I32 }
    Mtpos = "mtpos" { mt_blkno: Long }
    SerialStruct = "serial_struct" {
        kind: I32, line: I32, port: U32, irq: I32, flags: I32, xmit_fifo_size: I32, custom_divisor: I32, baud_base: I32, close_delay: U16,
        io_type: I8, reserved_char: I8, hub6: I32, closing_wait: U16, closing_wait2: U16, iomem_base: Ptr, iomem_reg_shift: U16, port_high: U32,
        iomap_base: ULong,
    }
    SerialIcounter = "serial_icounter_struct" {
        cts: I32, dsr: I32, rng: I32, dcd: I32, rx: I32, tx: I32, frame: I32, overrun: I32, parity: I32, brk: I32, buf_overrun: I32,
        reserved: [I32; 9],
    }
}
