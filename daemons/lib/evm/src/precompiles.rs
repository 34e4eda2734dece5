//! Precompiles of the fork, less those that state overrides replace, plus those that they move; and the texts of
//! failures in geth's words.

mod required_gas;

use super::budget::Budget;
use super::cost;
use required_gas::required_gas;
use revm::context_interface::cfg::Cfg;
use revm::context_interface::{ContextTr, LocalContextTr as _};
use revm::handler::{EthPrecompiles, PrecompileProvider, precompile_output_to_interpreter_result};
use revm::interpreter::{CallInputs, InterpreterResult};
use revm::precompile::{PrecompileHalt, PrecompileOutput};
use revm::primitives::hardfork::SpecId;
use revm::primitives::map::AddressMap;
use revm::primitives::{Address, map::AddressSet};
use std::sync::Arc;

/// Precompiles that overrides moved: for an address the one that answers there now, `None` for none any more. Addresses
/// not in it are as the fork has them.
pub type Moved = AddressMap<Option<Address>>;

/// Provider of revm's precompiles with moves.
#[derive(Clone, Debug)]
pub struct Precompiles {
    fork: EthPrecompiles,
    moved: Option<Arc<Moved>>,
}

impl Precompiles {
    /// Precompiles of a fork, after `moved`.
    pub fn new(spec: SpecId, moved: Option<Arc<Moved>>) -> Self {
        Self { fork: EthPrecompiles::new(spec), moved }
    }

    /// Addresses of the fork's own precompiles.
    pub fn addresses(&self) -> &AddressSet {
        self.fork.warm_addresses()
    }
}

impl<'b, CTX: ContextTr<Chain = &'b mut Budget>> PrecompileProvider<CTX> for Precompiles {
    type Output = InterpreterResult;

    fn set_spec(&mut self, spec: <CTX::Cfg as Cfg>::Spec) -> bool {
        PrecompileProvider::<CTX>::set_spec(&mut self.fork, spec)
    }

    /// Runs a precompile as revm does, which keeps the reason of a failure only where the transaction itself calls it.
    fn run(&mut self, ctx: &mut CTX, inputs: &CallInputs) -> Result<Option<InterpreterResult>, String> {
        let at = match self.moved.as_ref().and_then(|moved| moved.get(&inputs.bytecode_address)) {
            None => inputs.bytecode_address,
            Some(None) => return Ok(None),
            Some(Some(from)) => *from,
        };
        let Some(precompile) = self.fork.precompiles.get(&at) else { return Ok(None) };
        // A caller sees an error that ends the whole call, whatever it says here.
        if !ctx.chain_mut().spend(cost::precompile(at, inputs.input.len())) {
            return Err("out of time".to_owned());
        }
        let input = inputs.input.as_bytes(ctx);
        let mut output = precompile
            .execute(&input, inputs.gas_limit, inputs.reservoir)
            .map_err(|error| error.to_string())?;
        if output.halt_reason().is_some_and(|halt| required_gas(halt, &input) > inputs.gas_limit) {
            output = PrecompileOutput::halt(PrecompileHalt::OutOfGas, inputs.reservoir);
        }
        drop(input);
        if let Some(halt) = output.halt_reason().filter(|halt| !halt.is_oog()) {
            ctx.local_mut().set_precompile_error_context(text_of(halt));
        }
        Ok(Some(precompile_output_to_interpreter_result(output, inputs.gas_limit)))
    }

    /// Addresses that are warm: the fork's own, as in geth, wherever the precompiles went.
    fn warm_addresses(&self) -> &AddressSet {
        self.fork.warm_addresses()
    }
}

/// geth's text for an input that a precompile refuses.
fn text_of(halt: &PrecompileHalt) -> String {
    use PrecompileHalt as H;
    let text = match halt {
        H::Blake2WrongLength
        | H::BlobInvalidInputLength
        | H::Bls12381G1AddInputLength
        | H::Bls12381G1MsmInputLength
        | H::Bls12381G2AddInputLength
        | H::Bls12381G2MsmInputLength
        | H::Bls12381PairingInputLength
        | H::Bls12381MapFpToG1InputLength
        | H::Bls12381MapFp2ToG2InputLength => "invalid input length",
        H::Blake2WrongFinalIndicatorFlag => "invalid final flag",
        H::ModexpEip7823LimitSize => "one or more of base/exponent/modulus length exceeded 1024 bytes",
        H::Bn254FieldPointNotAMember | H::NonCanonicalFp => "invalid fp.Element encoding",
        // Of a pairing it may also be the wrong subgroup.
        H::Bn254AffineGFailedToCreate => "point is not on curve",
        H::Bn254PairLength => "bad elliptic curve pairing size",
        H::Bls12381FpPaddingInvalid => "invalid field element top bytes",
        H::Bls12381G1NotOnCurve | H::Bls12381G2NotOnCurve => "invalid point: not on curve",
        H::Bls12381G1NotInSubgroup => "g1 point is not on correct subgroup",
        H::Bls12381G2NotInSubgroup => "g2 point is not on correct subgroup",
        H::BlobMismatchedVersion => "mismatched versioned hash",
        H::BlobVerifyKzgProofFailed => "error verifying kzg proof: can't verify opening proof",
        other => return other.to_string(),
    };
    text.to_owned()
}
