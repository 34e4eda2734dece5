package main

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
)

// special adds what happens once: deployments, destruction in every way, new transaction types and their corner cases.
func (m *maker) special(number int, b *core.BlockGen) {
	mortal := crypto.CreateAddress2(m.factory, [32]byte{}, crypto.Keccak256(mortalInit))
	flashed := crypto.CreateAddress2(m.flash, [32]byte{}, crypto.Keccak256(mortalInit))
	switch number {
	case 1:
		m.store = m.create(b, 0, deploy(nil, storeCode))
		m.logger = m.create(b, 0, deploy(nil, loggerCode))
		m.reverter = m.create(b, 0, deploy(nil, revertCode))
	case 2:
		m.send(b, 1, &m.reverter, 0, nil, 50_000) // REVERT is not yet an opcode
		m.send(b, 1, nil, 0, dirtyInit, 100_000)  // a failed creation
	case 3: // created, destroyed in the next block: its storage is wiped
		m.create(b, 2, mortalInit)
	case 4:
		m.destroy(b, 2, crypto.CreateAddress(m.address(2), b.TxNonce(m.address(2))-1))
	case 7:
		m.send(b, 1, &m.reverter, 0, nil, 50_000)
	case 8:
		m.factory, m.flash = m.create(b, 3, deploy(nil, makerCode)), m.create(b, 3, deploy(nil, flashCode))
	case 9:
		m.send(b, 4, &m.factory, 1000, mortalInit, 300_000)
	case 11: // destroyed and funded again in one block
		m.destroy(b, 4, mortal)
		m.send(b, 5, &mortal, 77, nil, 21_000)
	case 13: // made again at the same address, which has a balance
		m.send(b, 4, &m.factory, 5, mortalInit, 300_000)
	case 15: // destroyed and made again in one block
		m.destroy(b, 4, mortal)
		m.send(b, 4, &m.factory, 9, mortalInit, 300_000)
	case 17: // made and destroyed in one transaction
		m.send(b, 6, &m.flash, 3, mortalInit, 300_000)
	case 32: // since Cancun only the balance goes: code and storage stay
		m.destroy(b, 4, mortal)
	case 33: // an address with a balance, made and destroyed in one transaction, funded again in the same block
		m.send(b, 5, &flashed, 40, nil, 21_000)
		m.send(b, 6, &m.flash, 3, mortalInit, 300_000)
		m.send(b, 5, &flashed, 41, nil, 21_000)
	}
	if number == 25 {
		m.send(b, 1, &m.reverter, 0, nil, 50_000)
		m.send(b, 1, &m.store, 0, append(word(1), word(1)...), 30_000) // out of gas
	}
	if number >= cancun && number%2 == 0 {
		m.blob(b, 7, 1+number%4)
	}
	switch {
	case number >= prague && number%5 == 0:
		m.delegate(b, 0, 1+(number/5)%3, m.store)
	case number >= prague && number%5 == 3:
		m.delegate(b, 0, 1+(number/5)%3, common.Address{}) // and back
	}
	if number == prague+2 || number == osaka+2 {
		queue := params.WithdrawalQueueAddress
		m.send(b, 3, &queue, 10, make([]byte, 56), 300_000) // an execution layer request
	}
}

func (m *maker) destroy(b *core.BlockGen, from int, contract common.Address) {
	m.send(b, from, &contract, 0, nil, 60_000)
}
