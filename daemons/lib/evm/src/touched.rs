//! Accounts and slots that a transaction looks at, as geth's prestate tracer reports them.

use revm::bytecode::opcode;
use revm::context_interface::ContextTr;
use revm::context_interface::journaled_state::JournalTr as _;
use revm::inspector::Inspector;
use revm::interpreter::interpreter_types::{Jumps as _, LoopControl as _};
use revm::interpreter::{CreateInputs, CreateOutcome, InstructionResult, Interpreter, InterpreterAction};
use revm::primitives::{Address, U256};
use std::collections::{BTreeMap, BTreeSet};

/// Inspector that collects accounts and slots.
#[derive(Debug, Default)]
pub struct Touched {
    /// Accounts, each with its slots.
    pub accounts: BTreeMap<Address, BTreeSet<U256>>,
    /// Accounts that were called, so that the code they delegate to was looked at too.
    pub called: BTreeSet<Address>,
    /// Recipient of the transaction.
    pub target: Option<Address>,
    /// Contracts that were created in this transaction, or tried to be.
    pub created: BTreeSet<Address>,
    /// Contracts that executed SELFDESTRUCT.
    pub destroyed: BTreeSet<Address>,
    begun: Option<Looked>,
}

/// Account or slot that an instruction looks at, if it comes to run.
#[derive(Clone, Copy, Debug)]
enum Looked {
    Slot(Address, U256),
    Account(Address),
    Called(Address),
    Destroyed { contract: Address, heir: Address },
}

impl Touched {
    /// Adds an account.
    pub fn account(&mut self, address: Address) {
        self.accounts.entry(address).or_default();
    }

    fn take(&mut self, looked: Looked) {
        match looked {
            Looked::Slot(address, key) => {
                self.accounts.entry(address).or_default().insert(key);
            }
            Looked::Account(address) => self.account(address),
            Looked::Called(address) => {
                self.account(address);
                self.called.insert(address);
            }
            Looked::Destroyed { contract, heir } => {
                self.account(heir);
                self.destroyed.insert(contract);
            }
        }
    }
}

impl<CTX: ContextTr> Inspector<CTX> for Touched {
    fn step(&mut self, interpreter: &mut Interpreter, _: &mut CTX) {
        let stack = interpreter.stack.data();
        let top = |depth: usize| stack.len().checked_sub(depth).and_then(|at| stack.get(at)).copied();
        let address = |word: U256| Address::from_word(word.into());
        let here = interpreter.input.target_address;
        self.begun = match (interpreter.bytecode.opcode(), top(1)) {
            (opcode::SLOAD | opcode::SSTORE, Some(key)) => Some(Looked::Slot(here, key)),
            (
                opcode::EXTCODECOPY | opcode::EXTCODEHASH | opcode::EXTCODESIZE | opcode::BALANCE,
                Some(word),
            ) => Some(Looked::Account(address(word))),
            (opcode::SELFDESTRUCT, Some(word)) => {
                Some(Looked::Destroyed { contract: here, heir: address(word) })
            }
            (opcode::CALL | opcode::CALLCODE | opcode::DELEGATECALL | opcode::STATICCALL, _)
                if stack.len() >= 5 =>
            {
                top(2).map(|word| Looked::Called(address(word)))
            }
            _ => None,
        };
    }

    fn step_end(&mut self, interpreter: &mut Interpreter, _: &mut CTX) {
        use InstructionResult as R;
        let Some(looked) = self.begun.take() else { return };
        // As in geth: what could not be paid for was not looked at.
        let failed = match interpreter.bytecode.action() {
            Some(InterpreterAction::Return(result)) => {
                matches!(
                    result.result,
                    R::OutOfGas
                        | R::MemoryOOG
                        | R::InvalidOperandOOG
                        | R::ReentrancySentryOOG
                        | R::StackUnderflow
                )
            }
            _ => false,
        };
        if !failed {
            self.take(looked);
        }
    }

    fn create(&mut self, context: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        // The creator is loaded: it runs.
        let nonce =
            context.journal_mut().load_account(inputs.caller()).map_or(0, |account| account.data.info.nonce);
        let address = inputs.created_address(nonce);
        self.account(address);
        self.created.insert(address);
        None
    }
}
