//! Gas that geth asks for an instruction before it runs it, and why it does not run it: what traces tell of a step that
//! fails. revm tells only that the gas did not suffice, and has charged some of it by then.

mod operands;

use super::words::{unfit_stack, write_protection};
use revm::bytecode::opcode;
use revm::context_interface::journaled_state::JournalTr as _;
use revm::context_interface::{Cfg as _, ContextTr};
use revm::interpreter::instructions::{GasTable, gas_table_spec};
use revm::interpreter::interpreter_types::{Jumps as _, RuntimeFlag as _};
use revm::interpreter::{InstructionResult, Interpreter};
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, U256};

/// Most gas that depends on state, in one instruction: a call with value to a cold account that is new and delegates.
const STATE_MAX: u64 = 40_000;
const COLD_ACCOUNT: u64 = 2_600;
const COLD_SLOT: u64 = 2_100;
const WARM: u64 = 100;
const CREATION: u64 = 32_000;
const NEW_ACCOUNT: u64 = 25_000;
const SENTRY: u64 = 2_300;
const OUT_OF_GAS: &str = "out of gas";
const OVERFLOW: &str = "gas uint64 overflow";

/// An instruction before it runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) op: u8,
    /// Gas that it costs, as far as geth has worked it out before it gives up.
    pub(super) cost: u64,
    /// geth's text for why it does not run.
    refused: Option<String>,
    /// Refund that geth adds with the cost, whether or not that can be paid.
    pub(super) refund: i64,
    /// Value of the slot that it reads, where its gas may not suffice.
    pub(super) read: Option<U256>,
    /// True where nothing of it was left out because there is plenty of gas.
    is_whole: bool,
}

/// Reason why geth gives up while it works out the gas.
enum Refused {
    /// Before it asks what depends on operands.
    Bare(&'static str),
    /// While it asks.
    Wrapped(String),
    /// State cannot be read; the instruction itself will find that, too.
    Unread,
}

type Cost = Result<u64, Refused>;

fn wrapped(text: &str) -> Refused {
    Refused::Wrapped(text.to_owned())
}

fn add(a: u64, b: u64) -> Cost {
    a.checked_add(b).ok_or_else(|| wrapped(OVERFLOW))
}

impl Asked {
    /// Works out what is asked for the instruction that comes next.
    pub(super) fn of<CTX: ContextTr>(interpreter: &Interpreter, context: &mut CTX) -> Self {
        let spec: SpecId = context.cfg().spec().into();
        let op = interpreter.bytecode.opcode();
        let constant = constant(spec, op);
        let mut asked = Self { op, cost: constant, is_whole: true, ..Self::default() };
        if let Some(text) = unfit_stack(op, interpreter.stack.len()) {
            asked.refused = Some(text);
            return asked;
        }
        let gas = interpreter.gas.remaining();
        if op == opcode::SLOAD && gas < COLD_SLOT {
            let (here, key) = (interpreter.input.target_address, operand(interpreter, 0));
            asked.read = looked(context, |journal| journal.sload(here, key).ok().map(|load| load.data));
        }
        let Some(left) = gas.checked_sub(constant) else {
            asked.refused = Some(OUT_OF_GAS.to_owned());
            return asked;
        };
        let mut asking = Asking { spec, interpreter, context, left, refund: 0 };
        match asking.dynamic(op) {
            Ok(Some(dynamic)) => {
                asked.cost = constant.saturating_add(dynamic);
                asked.refused = (dynamic > left).then(|| OUT_OF_GAS.to_owned());
            }
            Ok(None) | Err(Refused::Unread) => asked.is_whole = false,
            Err(Refused::Bare(text)) => asked.refused = Some(text.to_owned()),
            Err(Refused::Wrapped(text)) => asked.refused = Some(format!("{OUT_OF_GAS}: {text}")),
        }
        asked.refund = asking.refund;
        asked
    }

    /// Text of why it did not run, if that is how it failed.
    pub(super) fn refusal(&self, result: InstructionResult) -> Option<String> {
        use InstructionResult as R;
        match result {
            R::OpcodeNotFound | R::InvalidFEOpcode | R::NotActivated => None,
            _ if self.refused.is_some() => self.refused.clone(),
            R::CallNotAllowedInsideStatic | R::StateChangeDuringStaticCall => {
                Some(write_protection(self.op).to_owned()).filter(|text| text.starts_with(OUT_OF_GAS))
            }
            R::OutOfGas | R::MemoryOOG => Some(OUT_OF_GAS.to_owned()),
            R::InvalidOperandOOG => Some(OVERFLOW.to_owned()),
            _ => None,
        }
    }

    /// Cost of the step that failed, where that can be said before it runs.
    pub(super) fn failed_cost(&self, result: InstructionResult) -> Option<u64> {
        match result {
            InstructionResult::OpcodeNotFound | InstructionResult::NotActivated => Some(0),
            _ => (self.is_whole || self.refused.is_some()).then_some(self.cost),
        }
    }
}

/// Gas of an instruction that depends on nothing but the fork, as geth divides it.
fn constant(spec: SpecId, op: u8) -> u64 {
    let berlin = spec.is_enabled_in(SpecId::BERLIN);
    match op {
        opcode::CREATE | opcode::CREATE2 => CREATION,
        opcode::EXP | opcode::LOG0..=opcode::LOG4 => 0,
        opcode::SLOAD if berlin => 0,
        opcode::SELFDESTRUCT if !berlin => 0,
        op => table(spec).get(usize::from(op)).map_or(0, |gas| u64::from(*gas)),
    }
}

fn table(spec: SpecId) -> &'static GasTable {
    static FRONTIER: GasTable = gas_table_spec(SpecId::FRONTIER);
    static TANGERINE: GasTable = gas_table_spec(SpecId::TANGERINE);
    static ISTANBUL: GasTable = gas_table_spec(SpecId::ISTANBUL);
    static BERLIN: GasTable = gas_table_spec(SpecId::BERLIN);
    match spec {
        _ if spec.is_enabled_in(SpecId::BERLIN) => &BERLIN,
        _ if spec.is_enabled_in(SpecId::ISTANBUL) => &ISTANBUL,
        _ if spec.is_enabled_in(SpecId::TANGERINE) => &TANGERINE,
        _ => &FRONTIER,
    }
}

fn operand(interpreter: &Interpreter, at: usize) -> U256 {
    interpreter.stack.peek(at).unwrap_or_default()
}

/// Looks at the state, and leaves everything as cold as it was.
fn looked<CTX: ContextTr, T>(context: &mut CTX, look: impl FnOnce(&mut CTX::Journal) -> T) -> T {
    let journal = context.journal_mut();
    let checkpoint = journal.checkpoint();
    let seen = look(journal);
    journal.checkpoint_revert(checkpoint);
    seen
}

/// Account as far as gas depends on it.
struct Seen {
    is_cold: bool,
    is_new: bool,
    has_balance: bool,
    delegate: Option<Address>,
}

/// Search for what is asked beyond the constant part.
struct Asking<'a, CTX> {
    spec: SpecId,
    interpreter: &'a Interpreter,
    context: &'a mut CTX,
    /// Gas that is left when the constant part has been paid.
    left: u64,
    refund: i64,
}

impl<CTX: ContextTr> Asking<'_, CTX> {
    fn is(&self, fork: SpecId) -> bool {
        self.spec.is_enabled_in(fork)
    }

    fn word(&self, at: usize) -> U256 {
        operand(self.interpreter, at)
    }

    fn address(&self, at: usize) -> Address {
        Address::from_word(self.word(at).into())
    }

    /// Gas that depends on operands and state; `None` where state would have to be looked at, and there is plenty of gas.
    fn dynamic(&mut self, op: u8) -> Result<Option<u64>, Refused> {
        use opcode as o;
        let memory = self.end_of_memory(op).map(|end| self.memory(end))?;
        let words = |at| u64::try_from(self.word(at)).unwrap_or(u64::MAX).div_ceil(32);
        let static_call = self.interpreter.runtime_flag.is_static();
        Ok(Some(match op {
            o::MLOAD | o::MSTORE | o::MSTORE8 | o::RETURN | o::REVERT => memory?,
            o::KECCAK256 => add(memory?, words(1).saturating_mul(6))?,
            o::CALLDATACOPY | o::CODECOPY | o::RETURNDATACOPY | o::MCOPY => {
                add(memory?, words(2).saturating_mul(3))?
            }
            o::LOG0..=o::LOG4 => {
                let topics = u64::from(op.saturating_sub(o::LOG0)).saturating_mul(375);
                let data = u64::try_from(self.word(1)).ok().and_then(|bytes| bytes.checked_mul(8));
                add(add(memory?, 375)?, add(topics, data.ok_or_else(|| wrapped(OVERFLOW))?)?)?
            }
            o::EXP => {
                let byte = if self.is(SpecId::SPURIOUS_DRAGON) { 50 } else { 10 };
                let bytes = u64::try_from(self.word(1).bit_len().div_ceil(8)).unwrap_or(u64::MAX);
                bytes.saturating_mul(byte).saturating_add(10)
            }
            o::CREATE | o::CREATE2 | o::SSTORE | o::SELFDESTRUCT if static_call => {
                return Err(wrapped("write protection"));
            }
            o::CREATE | o::CREATE2 => self.creation(op, memory?)?,
            o::SLOAD | o::BALANCE | o::EXTCODESIZE | o::EXTCODEHASH | o::EXTCODECOPY
                if !self.is(SpecId::BERLIN) =>
            {
                add(memory?, if op == o::EXTCODECOPY { words(3).saturating_mul(3) } else { 0 })?
            }
            o::EXTCODECOPY => {
                let copied = add(memory?, words(3).saturating_mul(3))?;
                let Some(cold) = self.near(copied, |it| it.cold(it.address(0)))? else { return Ok(None) };
                add(copied, cold)?
            }
            o::BALANCE | o::EXTCODESIZE | o::EXTCODEHASH => {
                return self.near(0, |it| it.cold(it.address(0)));
            }
            o::SLOAD => return self.near(0, Self::load),
            o::SSTORE => return self.near(0, Self::store),
            o::SELFDESTRUCT => return self.near(0, Self::destruction),
            o::CALL | o::CALLCODE | o::DELEGATECALL | o::STATICCALL => {
                if op == o::CALL && static_call && !self.word(2).is_zero() {
                    return Err(wrapped("write protection"));
                }
                // Before Tangerine Whistle a call costs what it is given.
                let given = if self.is(SpecId::TANGERINE) { U256::ZERO } else { self.word(0) };
                let given = u64::try_from(given).unwrap_or(u64::MAX);
                let pure = memory.as_ref().map_or(u64::MAX, |gas| gas.saturating_add(given));
                return self.near(pure, |it| it.call(op, memory));
            }
            _ => 0,
        }))
    }

    /// Looks at the state only where the gas may not suffice: that is seldom, and looking is not free.
    fn near(&mut self, pure: u64, cost: impl FnOnce(&mut Self) -> Cost) -> Result<Option<u64>, Refused> {
        match self.left >= pure.saturating_add(STATE_MAX) {
            true => Ok(None),
            false => cost(self).map(Some),
        }
    }

    fn seen(&mut self, address: Address) -> Result<Seen, Refused> {
        let spec = self.spec;
        let delegates = self.is(SpecId::PRAGUE);
        looked(self.context, |journal| {
            let load = if delegates {
                journal.load_account_with_code(address)
            } else {
                journal.load_account(address)
            };
            let load = load.map_err(|_| Refused::Unread)?;
            let code = load.data.info.code.as_ref().filter(|_| delegates);
            Ok(Seen {
                is_cold: load.is_cold,
                is_new: load.data.state_clear_aware_is_empty(spec),
                has_balance: !load.data.info.balance.is_zero(),
                delegate: code.and_then(|code| code.eip7702_address()),
            })
        })
    }

    /// Gas of an account that has not been touched yet.
    fn cold(&mut self, address: Address) -> Cost {
        let is_cold = self.is(SpecId::BERLIN) && self.seen(address)?.is_cold;
        Ok(if is_cold { COLD_ACCOUNT - WARM } else { 0 })
    }

    fn load(&mut self) -> Cost {
        let (here, key) = (self.interpreter.input.target_address, self.word(0));
        let load = looked(self.context, |journal| journal.sload(here, key).map(|load| load.is_cold));
        Ok(if load.map_err(|_| Refused::Unread)? { COLD_SLOT } else { WARM })
    }

    fn store(&mut self) -> Cost {
        let (istanbul, berlin) = (self.is(SpecId::ISTANBUL), self.is(SpecId::BERLIN));
        if istanbul && self.left <= SENTRY {
            return Err(wrapped("not enough gas for reentrancy sentry"));
        }
        let (here, key, value) = (self.interpreter.input.target_address, self.word(0), self.word(1));
        let stored = looked(self.context, |journal| journal.sstore(here, key, value));
        let stored = stored.map_err(|_| Refused::Unread)?;
        self.refund = self.context.cfg().gas_params().sstore_refund(istanbul, &stored.data);
        let cold = if berlin && stored.is_cold { COLD_SLOT } else { 0 };
        let (same, change) = if berlin { (WARM, 5_000 - COLD_SLOT) } else { (800, 5_000) };
        Ok(cold
            + match &stored.data {
                slot if !istanbul && slot.is_present_zero() && !slot.is_new_zero() => 20_000,
                _ if !istanbul => 5_000,
                slot if slot.is_new_eq_present() || !slot.is_original_eq_present() => same,
                slot if slot.is_original_zero() => 20_000,
                _ => change,
            })
    }

    fn destruction(&mut self) -> Cost {
        const REFUND: i64 = 24_000;
        if !self.is(SpecId::TANGERINE) {
            return Ok(0);
        }
        let here = self.interpreter.input.target_address;
        let (heir, own) = (self.seen(self.address(0))?, self.seen(here)?);
        let cold = if self.is(SpecId::BERLIN) && heir.is_cold { COLD_ACCOUNT } else { 0 };
        if self.left < cold {
            return Err(wrapped(OUT_OF_GAS));
        }
        let constant = if self.is(SpecId::BERLIN) { 0 } else { 5_000 };
        let paid = own.has_balance || !self.is(SpecId::SPURIOUS_DRAGON);
        let is_first = looked(self.context, |journal| {
            journal.load_account(here).is_ok_and(|account| !account.data.is_selfdestructed())
        });
        self.refund = if is_first && !self.is(SpecId::LONDON) { REFUND } else { 0 };
        Ok(constant + cold + if heir.is_new && paid { NEW_ACCOUNT } else { 0 })
    }

    /// Gas of a call, with what is given to it.
    fn call(&mut self, op: u8, memory: Cost) -> Cost {
        let callee = self.seen(self.address(1))?;
        let mut left = self.left;
        let cold = if self.is(SpecId::BERLIN) && callee.is_cold { COLD_ACCOUNT - WARM } else { 0 };
        let pay = |left: u64, gas: u64| left.checked_sub(gas).ok_or_else(|| wrapped(OUT_OF_GAS));
        left = pay(left, cold)?;
        let has_value = matches!(op, opcode::CALL | opcode::CALLCODE) && !self.word(2).is_zero();
        let mut own = add(memory?, if has_value { 9_000 } else { 0 })?;
        if op == opcode::CALL {
            pay(left, own)?;
            if callee.is_new && (has_value || !self.is(SpecId::SPURIOUS_DRAGON)) {
                own = add(own, NEW_ACCOUNT)?;
            }
        }
        if !self.is(SpecId::PRAGUE) {
            return add(add(own, self.given(left, own)?)?, cold);
        }
        left = pay(left, own)?;
        let mut delegation = 0;
        if let Some(target) = callee.delegate {
            delegation = if self.seen(target)?.is_cold { COLD_ACCOUNT } else { WARM };
            left = pay(left, delegation)?;
        }
        add(add(cold, delegation)?, add(own, self.given(left, 0)?)?)
    }

    /// Gas that a call is given (EIP-150). geth subtracts what may not be there, and goes on with what comes out.
    fn given(&self, left: u64, own: u64) -> Cost {
        let wanted = u64::try_from(self.word(0));
        if self.is(SpecId::TANGERINE) {
            let left = left.wrapping_sub(own);
            let most = left - left / 64;
            return Ok(wanted.unwrap_or(u64::MAX).min(most));
        }
        wanted.map_err(|_| wrapped(OVERFLOW))
    }
}
