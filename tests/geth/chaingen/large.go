package main

import (
	"encoding/binary"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

const (
	rowsPerAccount      = 5
	accountsPerContract = 10
	largeContracts      = 4
	slotsPerCall        = 10
)

// large is a state in which questions find something: large.json beside the chain.
type large struct {
	// Accounts 0, 1, 2, … of the kind that addressOf makes.
	Accounts int `json:"accounts"`
	// Slots of each contract, 1, 2, 3, …: those with the most first. They are the first accounts.
	Slots []int `json:"slots"`
}

// spread is a state of about so many rows: two thirds of the slots are those of four contracts.
func spread(rows int) large {
	spread := large{Accounts: rows / rowsPerAccount}
	contracts, left := spread.Accounts/accountsPerContract, rows-spread.Accounts
	for i := range contracts {
		slots := left / largeContracts
		if i >= largeContracts {
			slots = (left + contracts - i - 1) / (contracts - i)
		}
		spread.Slots = append(spread.Slots, slots)
		left -= slots
	}
	return spread
}

// fill adds the accounts to a genesis.
func (l large) fill(alloc types.GenesisAlloc) {
	for i := range l.Accounts {
		account := types.Account{Nonce: 1, Balance: new(big.Int).SetBytes(draw(i, 0)[:8])}
		if i < len(l.Slots) {
			account.Code, account.Storage = readerCode(), make(map[common.Hash]common.Hash, l.Slots[i])
			for slot := 1; slot <= l.Slots[i]; slot++ {
				account.Storage[common.Hash(word(uint64(slot)))] = value(i, slot)
			}
		}
		alloc[addressOf(i)] = account
	}
}

func addressOf(account int) common.Address {
	return common.BigToAddress(new(big.Int).Add(new(big.Int).Lsh(big.NewInt(0x1a26e), 64), big.NewInt(int64(account))))
}

// value: a third are small numbers, most others addresses.
func value(account, slot int) common.Hash {
	drawn := draw(account, slot)
	if drawn[31]%3 == 0 {
		return common.BytesToHash(append([]byte{1}, drawn[:2]...))
	}
	return common.BytesToHash(append([]byte{1}, drawn[:19]...))
}

func draw(account, slot int) []byte {
	return crypto.Keccak256(binary.BigEndian.AppendUint64(word(uint64(account)), uint64(slot)))
}

// readerCode returns the sum of the slots that its input names.
func readerCode() []byte {
	code := common.FromHex("6000")
	for i := range slotsPerCall {
		code = append(code, 0x60, byte(32*i), 0x35, 0x54, 0x01)
	}
	return slices.Concat(code, common.FromHex("60005260206000f3"))
}
