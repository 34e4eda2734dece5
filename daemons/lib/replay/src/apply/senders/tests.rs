use super::check;
use crate::apply::Refusal;
use maidenlane_chain::Address;
use maidenlane_testkit::feed::Block;
use maidenlane_wire::{Advance, Record};

/// ADVANCE of a block with some transactions, told with their senders; another for each seed.
fn told(seed: u8) -> Advance {
    let block = Block::genesis().child(seed);
    let Record::Advance(advance) = block.advance() else { unreachable!() };
    advance
}

fn refused(mut advance: Advance, spoil: impl FnOnce(&mut Vec<Address>)) -> Option<String> {
    spoil(advance.senders.as_mut().unwrap());
    let refusal = check(&advance).err()?;
    assert!(matches!(refusal, Refusal::Senders { block, .. } if block == advance.block));
    Some(refusal.to_string())
}

#[test]
fn wrong_senders_are_found_in_a_few_blocks() {
    let (mut blocks, mut found) = (0, 0);
    for advance in (0..40).map(told) {
        let count = advance.senders.as_ref().unwrap().len();
        assert_eq!(check(&advance), Ok(()));
        assert_eq!(check(&Advance { senders: None, ..advance.clone() }), Ok(()), "of the first schema");
        assert!(
            refused(advance.clone(), |told| told.push(Address::ZERO)).unwrap().contains("for"),
            "one too many"
        );
        if count > 0 {
            let all = refused(advance.clone(), |told| told.fill(Address::ZERO)).unwrap();
            assert!(all.contains("is signed by 0x") && all.contains("look at the master"), "{all}");
            assert!(refused(advance.clone(), |told| told.truncate(count - 1)).is_some(), "one too few");
        }
        if count > 1 {
            blocks += 1;
            found += usize::from(refused(advance, |told| told[0] = Address::ZERO).is_some());
        }
    }
    assert!(blocks > 10 && found > 2 && found < blocks, "one of several: {found} of {blocks}");
}
