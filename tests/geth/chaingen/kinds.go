package main

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
)

// More kinds of contracts, for comparing answers rather than for replaying. All are deployed in one block and called in
// every block after it.
var (
	// heavyCode writes word 2 + n to slots n = word 1 down to 1.
	heavyCode = common.FromHex("600035" + "5b8015601757" + "8060203501815560019003" + "600356" + "5b00")
	// relayCode calls the address in word 1 with the rest of its input in all four ways, and returns what the last returned.
	relayCode = common.FromHex("602036036020600037" +
		"600060006020360360006000600035" + "61c350f150" + // CALL
		"600060006020360360006000600035" + "61c350f250" + // CALLCODE
		"60006000602036036000600035" + "61c350f450" + // DELEGATECALL
		"60006000602036036000600035" + "61c350fa50" + // STATICCALL
		"3d600060003e3d6000f3")
	// parentCode makes a contract from its input by CREATE and returns its address.
	parentCode = common.FromHex("3660006000373660006000f060005260206000f3")
	// aroundCode logs what it sees of its block, from Cancun on.
	aroundCode = common.FromHex("60014303406000" + "5241602052426040524460605245608052" +
		"4660a0524760c0524860e0524a61010052600049610120526101406000a000")
	// momentCode stores for the moment, copies memory and returns it, from Cancun on.
	momentCode = common.FromHex("600160005d60005c600052" + "6020600060205e" + "60406000f3")
	// selfishInit gives its balance to itself and goes, while it is being made.
	selfishInit = common.FromHex("30ff")
)

// kinds are the contracts that only a chain for comparing has.
type kinds struct{ heavy, relay, parent, around, moment common.Address }

// kindsFrom is the block that deploys them: every call they make is known from it on.
const kindsFrom = 14

// more adds to a block what the plain chain has not.
func (m *maker) more(number int, b *core.BlockGen) {
	if number == kindsFrom {
		m.kinds = kinds{
			heavy: m.create(b, 0, deploy(nil, heavyCode)), relay: m.create(b, 0, deploy(nil, relayCode)),
			parent: m.create(b, 1, deploy(nil, parentCode)), around: m.create(b, 1, deploy(nil, aroundCode)),
			moment: m.create(b, 2, deploy(nil, momentCode)),
		}
	}
	if number <= kindsFrom {
		return
	}
	input := append(word(uint64(m.rand.Intn(30))), word(uint64(m.rand.Intn(3)))...)
	m.send(b, m.rand.Intn(accounts), &m.kinds.heavy, 0, input, 1_500_000)
	m.send(b, m.rand.Intn(accounts), &m.kinds.relay, 0, m.relayed(number), 1_000_000)
	switch number % 4 {
	case 0:
		m.send(b, 3, &m.kinds.parent, 0, mortalInit, 300_000)
	case 1:
		m.send(b, 4, &m.kinds.parent, 5, selfishInit, 300_000)
	case 2:
		m.send(b, 5, nil, 5, selfishInit, 300_000)
	default:
		m.send(b, 6, &m.kinds.around, 0, nil, 300_000)
		m.send(b, 6, &m.kinds.moment, 0, nil, 300_000)
	}
	if number >= prague {
		m.delegations(number, b)
	}
}

// relayed is what the relay is to call: a precompile with some input, or a contract that logs, reverts or stores.
func (m *maker) relayed(number int) []byte {
	precompiles := []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 0x100}
	to := common.BigToAddress(big.NewInt(precompiles[m.rand.Intn(len(precompiles))]))
	if number%2 == 0 {
		contracts := []common.Address{m.logger, m.reverter, m.store, m.kinds.heavy, m.kinds.moment, m.kinds.around}
		to = contracts[m.rand.Intn(len(contracts))]
	}
	input := common.LeftPadBytes(to[:], 32)
	for range m.rand.Intn(8) {
		input = append(input, word(uint64(m.rand.Intn(40)))...)
	}
	return input
}

// delegations to what is no plain contract: a precompile, an account that delegates itself, the account itself.
func (m *maker) delegations(number int, b *core.BlockGen) {
	switch number % 6 {
	case 0:
		m.delegate(b, 7, 4, common.BytesToAddress([]byte{4}))
	case 1:
		m.delegate(b, 7, 5, m.address(4))
	case 2:
		m.delegate(b, 7, 6, m.address(6))
	case 3:
		m.delegate(b, 7, 5, m.kinds.relay)
	case 4:
		m.delegate(b, 7, 4, m.kinds.heavy)
	default:
		queue := params.ConsolidationQueueAddress
		m.send(b, 3, &queue, 10, make([]byte, 96), 300_000)
	}
	access := types.AccessList{{Address: m.kinds.heavy, StorageKeys: []common.Hash{{31: 1}, {31: 9}}}, {Address: m.store}}
	m.add(b, 7, &types.AccessListTx{
		ChainID: big.NewInt(chainID), Nonce: b.TxNonce(m.address(7)), GasPrice: new(big.Int).Mul(b.BaseFee(), big.NewInt(2)),
		Gas: 1_000_000, To: &m.kinds.heavy, Value: new(big.Int), Data: append(word(9), word(1)...), AccessList: access,
	})
}
