//! Clocks, timers, sleeping. The `32` entries are those with the C library's old 32-bit times; the others have 64 bits on every ABI.

use crate::sys::prelude::*;

syscalls! { |t|
    sys_gettimeofday(tv: Out<Timeval>, tz: Out<Timezone>) -> Zero;
    sys_settimeofday(tv: In<Timeval>, tz: In<Timezone>) -> Zero;
    sys_clock_gettime(clock: Clock, ts: Out<Timespec>) -> Zero;
    sys_clock_gettime32(clock: Clock, ts: Out<Timespec32>) -> Zero = sys_clock_gettime;
    sys_clock_settime(clock: Clock, ts: In<Timespec>) -> Zero;
    sys_clock_settime32(clock: Clock, ts: In<Timespec32>) -> Zero = sys_clock_settime;
    sys_clock_getres(clock: Clock, ts: Out<Timespec>) -> Zero;
    sys_clock_getres_time32(clock: Clock, ts: Out<Timespec32>) -> Zero = sys_clock_getres;
    sys_clock_nanosleep(clock: Clock, flags: Flags<TimerFlags>, request: In<Timespec>, rest: Rest<Timespec>) -> Zero;
    sys_clock_nanosleep_time32(clock: Clock, flags: Flags<TimerFlags>, request: In<Timespec32>, rest: Rest<Timespec32>) -> Zero
        = sys_clock_nanosleep;
    sys_nanosleep(request: In<Timespec>, rest: Rest<Timespec>) -> Zero;
    sys_nanosleep_time32(request: In<Timespec32>, rest: Rest<Timespec32>) -> Zero = sys_nanosleep;
    sys_clock_adjtime(clock: Clock, timex: InOut<Timex>) -> Int;
    sys_clock_adjtime32(clock: Clock, timex: InOut<Timex32>) -> Int = sys_clock_adjtime;
    sys_adjtimex(timex: InOut<Timex32>) -> Int;
    sys_adjtimex_time32(timex: InOut<Timex32>) -> Int = sys_adjtimex;
    sys_times(buf: Out<Tms>) -> Size;

    sys_time(time: Out<LongWord>) -> Size;
    sys_alarm(seconds: UInt) -> Int;
    sys_getitimer(which: Enum<Itimer>, value: Out<Itimerval>) -> Zero;
    sys_setitimer(which: Enum<Itimer>, new: In<Itimerval>, old: Out<Itimerval>) -> Zero;
    sys_timer_create(clock: Clock, event: In<Sigevent>, id: Out<Int32>) -> Zero;
    sys_timer_settime(id: Int, flags: Flags<TimerFlags>, new: In<Itimerspec>, old: Out<Itimerspec>) -> Zero;
    sys_timer_settime32(id: Int, flags: Flags<TimerFlags>, new: In<Itimerspec32>, old: Out<Itimerspec32>) -> Zero = sys_timer_settime;
    sys_timer_gettime(id: Int, value: Out<Itimerspec>) -> Zero;
    sys_timer_gettime32(id: Int, value: Out<Itimerspec32>) -> Zero = sys_timer_gettime;
    sys_timer_getoverrun(id: Int) -> Int;
    sys_timer_delete(id: Int) -> Zero;
    sys_timerfd_create(clock: Clock, flags: Flags<Open>) -> Fd;
    sys_timerfd_settime(fd: Fd, flags: Flags<TimerFlags>, new: In<Itimerspec>, old: Out<Itimerspec>) -> Zero;
    sys_timerfd_settime32(fd: Fd, flags: Flags<TimerFlags>, new: In<Itimerspec32>, old: Out<Itimerspec32>) -> Zero = sys_timerfd_settime;
    sys_timerfd_gettime(fd: Fd, value: Out<Itimerspec>) -> Zero;
    sys_timerfd_gettime32(fd: Fd, value: Out<Itimerspec32>) -> Zero = sys_timerfd_gettime;
}
