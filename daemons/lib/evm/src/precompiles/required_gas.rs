//! Gas that geth asks for before it looks at an input. revm refuses some inputs first, so that a call with too little
//! gas would fail for another reason than geth's.

use revm::precompile::PrecompileHalt as Halt;
use revm::precompile::bls12_381_const as bls;
use revm::precompile::bls12_381_utils::msm_required_gas;
use revm::precompile::modexp::osaka_gas_calc;
use revm::primitives::U256;

/// Gas for an input that was refused with `halt`; 0 where revm asks for it first, too. As `RequiredGas` in geth's
/// `core/vm/contracts.go`.
pub(super) fn required_gas(halt: &Halt, input: &[u8]) -> u64 {
    match halt {
        Halt::ModexpEip7823LimitSize => modexp(input),
        Halt::Bls12381G1MsmInputLength => {
            let pairs = input.len() / bls::G1_MSM_INPUT_LENGTH;
            msm_required_gas(pairs, &bls::DISCOUNT_TABLE_G1_MSM, bls::G1_MSM_BASE_GAS_FEE)
        }
        Halt::Bls12381G2MsmInputLength => {
            let pairs = input.len() / bls::G2_MSM_INPUT_LENGTH;
            msm_required_gas(pairs, &bls::DISCOUNT_TABLE_G2_MSM, bls::G2_MSM_BASE_GAS_FEE)
        }
        Halt::Bls12381PairingInputLength => {
            let pairs = u64::try_from(input.len() / bls::PAIRING_INPUT_LENGTH).unwrap_or(u64::MAX);
            pairs.saturating_mul(bls::PAIRING_MULTIPLIER_BASE).saturating_add(bls::PAIRING_OFFSET_BASE)
        }
        _ => 0,
    }
}

/// Gas of MODEXP by Osaka: before it only lengths beyond 64 bits are refused, which cost all gas there is in every
/// fork.
fn modexp(input: &[u8]) -> u64 {
    let length = |at| u64::try_from(word(input, at, 32)).unwrap_or(u64::MAX);
    let (base, exponent, modulus) = (length(0), length(32), length(64));
    if base.max(modulus) == u64::MAX {
        return u64::MAX;
    }
    let head = usize::try_from(base.saturating_add(96)).unwrap_or(usize::MAX);
    let head = word(input, head, usize::try_from(exponent.min(32)).unwrap_or(32));
    osaka_gas_calc(base, exponent, modulus, &head)
}

/// Number in `length` bytes from `at` on; those beyond the end are zero.
fn word(input: &[u8], at: usize, length: usize) -> U256 {
    let given = input.get(at..).unwrap_or_default();
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().skip(32 - length.min(32)).zip(given) {
        *to = *from;
    }
    U256::from_be_bytes(bytes)
}
