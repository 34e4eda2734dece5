//! The fork's precompiles, less those that state overrides replace, plus those that they move.

use revm::context_interface::ContextTr;
use revm::context_interface::cfg::Cfg;
use revm::handler::{EthPrecompiles, PrecompileProvider};
use revm::interpreter::{CallInputs, InterpreterResult};
use revm::primitives::hardfork::SpecId;
use revm::primitives::map::AddressMap;
use revm::primitives::{Address, map::AddressSet};
use std::sync::Arc;

/// Which precompile answers at an address, `None` for none any more. Addresses not in it are as the fork has them.
pub(crate) type Moved = AddressMap<Option<Address>>;

/// revm's provider with moves.
#[derive(Clone, Debug)]
pub(crate) struct Precompiles {
    fork: EthPrecompiles,
    moved: Option<Arc<Moved>>,
}

impl Precompiles {
    /// Those of a fork, after `moved`.
    pub(crate) fn new(spec: SpecId, moved: Option<Arc<Moved>>) -> Self {
        Self { fork: EthPrecompiles::new(spec), moved }
    }

    /// The fork's own places.
    pub(crate) fn addresses(&self) -> &AddressSet {
        self.fork.warm_addresses()
    }
}

impl<CTX: ContextTr> PrecompileProvider<CTX> for Precompiles {
    type Output = InterpreterResult;

    fn set_spec(&mut self, spec: <CTX::Cfg as Cfg>::Spec) -> bool {
        PrecompileProvider::<CTX>::set_spec(&mut self.fork, spec)
    }

    fn run(&mut self, ctx: &mut CTX, inputs: &CallInputs) -> Result<Option<InterpreterResult>, String> {
        match self.moved.as_ref().and_then(|moved| moved.get(&inputs.bytecode_address)) {
            None => self.fork.run(ctx, inputs),
            Some(None) => Ok(None),
            Some(Some(from)) => self.fork.run(ctx, &CallInputs { bytecode_address: *from, ..inputs.clone() }),
        }
    }

    /// Warm are the fork's own places, as in geth, wherever the precompiles went.
    fn warm_addresses(&self) -> &AddressSet {
        self.fork.warm_addresses()
    }
}
