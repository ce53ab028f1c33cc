//! Running guest code by the IR's interpreter: slow, simple, and what the back end is tested against (`RQEMU_INTERPRET=1`).

use crate::memory::Direct;
use crate::run::Next;
use crate::{Cpu, Engine, Exit, Fault};
use ir::Ty;
use ir::interp::{Machine, Outcome};

impl Engine {
    /// [`Engine::run`], interpreted.
    pub(crate) fn interpret(&self, cpu: &mut Cpu) -> Exit {
        let slots = self.slots();
        loop {
            if cpu.is_interrupted() {
                return Exit::Interrupted;
            }
            let mode = (self.guest().mode)(&cpu.raw.guest);
            let pc = (self.guest().branch_target)(cpu.pc());
            cpu.set_pc(pc);
            let region = self.cache.lock().region((pc, mode), self.source());
            match self.interpret_region(cpu, &slots, &region) {
                Next::Go((pc, _)) | Next::Enter((pc, _), _) => cpu.set_pc(pc),
                Next::Leave(exit) => return exit,
            }
        }
    }

    /// Runs one instruction, interpreted.
    pub fn step(&self, cpu: &mut Cpu) -> Exit {
        self.begin_open_pairs();
        let pc = (self.guest().branch_target)(cpu.pc());
        cpu.set_pc(pc);
        let key = (pc, (self.guest().mode)(&cpu.raw.guest));
        let region = self.cache.lock().instruction(key, self.source());
        match self.interpret_region(cpu, &self.slots(), &region) {
            Next::Go((pc, _)) | Next::Enter((pc, _), _) => {
                cpu.set_pc(pc);
                Exit::Interrupted
            }
            Next::Leave(exit) => exit,
        }
    }

    fn slots(&self) -> Vec<(usize, Ty)> {
        self.guest().state.slots.iter().map(|s| (s.offset as usize, s.ty)).collect()
    }

    fn interpret_region(&self, cpu: &mut Cpu, slots: &[(usize, Ty)], region: &ir::Region) -> Next {
        let mut memory = Direct { stamp: &mut cpu.raw.excl_stamp, tagged: self.guest().tagged_pointers };
        let mut machine = Machine {
            state: &mut cpu.raw.guest,
            slots,
            memory: &mut memory,
            fp_flags: cpu.raw.fp_flags,
            monitor: cpu.monitor,
        };
        let outcome = ir::interp::run(region, &mut machine);
        let (flags, monitor) = (machine.fp_flags, machine.monitor);
        (cpu.raw.fp_flags, cpu.monitor) = (flags, monitor);
        self.outcome(cpu, outcome)
    }

    fn outcome(&self, cpu: &mut Cpu, outcome: Outcome) -> Next {
        match outcome {
            Outcome::Goto(pc)
            | Outcome::Call { pc, .. }
            | Outcome::Return(pc)
            | Outcome::Indirect(pc)
            | Outcome::Resume { pc } => Next::Go((pc, cpu.mode)),
            Outcome::Syscall { next } => {
                cpu.set_pc(next);
                Next::Leave(Exit::Syscall)
            }
            Outcome::FlushCode { addr, len, next } => {
                cpu.set_pc(next);
                Next::Leave(Exit::FlushCode { addr, len: u64::from(len) })
            }
            Outcome::Trap { trap, pc, extra, addr } => {
                cpu.raw.exit_value = addr;
                self.trap(cpu, trap, pc, extra)
            }
            Outcome::Fault { fault, pc, extra } => {
                self.set_position(cpu, pc, extra);
                // The handler has noted what the kernel said of it.
                let Fault { signo, code, addr, .. } = cpu.fault;
                Next::Leave(Exit::Fault(Fault { signo, code, addr, write: fault.write }))
            }
        }
    }
}
