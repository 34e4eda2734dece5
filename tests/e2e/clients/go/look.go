package main

import (
	"math/big"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/eth/tracers"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/ethclient/gethclient"
	"github.com/ethereum/go-ethereum/rpc"
)

// network is what both sides have.
type network struct {
	// Logs and stores whenever it is called.
	contract common.Address
	// The client's own account.
	account common.Address
	block   uint64
}

var (
	word = common.HexToHash("0x4444444444444444444444444444444444444444444444444444444444444444")
	// Reverts with one byte of data.
	reverts = hexutil.MustDecode("0x60aa60005360016000fd")
)

// blocks asks for the first of them with all that they hold.
func (a *asked) blocks(at network) {
	for number := uint64(0); number <= min(at.block, 10); number++ {
		n := new(big.Int).SetUint64(number)
		block, err := a.master.eth.BlockByNumber(a.ctx, n)
		must(err)
		hash := block.Hash()
		a.both("header", func(s side) (any, error) { return s.eth.HeaderByNumber(a.ctx, n) })
		a.both("block", func(s side) (any, error) {
			// A block has no JSON of its own; its hash and the library's checks of its roots stand for it.
			block, err := s.eth.BlockByHash(a.ctx, hash)
			if err != nil {
				return nil, err
			}
			return []any{block.Header(), block.Transactions(), block.Uncles(), block.Withdrawals()}, nil
		})
		a.both("receipts", func(s side) (any, error) {
			return s.eth.BlockReceipts(a.ctx, rpc.BlockNumberOrHashWithHash(hash, true))
		})
		a.both("count", func(s side) (any, error) { return s.eth.TransactionCount(a.ctx, hash) })
		a.state(at, n, hash)
		if number > 0 {
			a.both("traced block", func(s side) (any, error) {
				return s.geth.TraceBlock(a.ctx, hash, callTracer())
			})
		}
		for index, tx := range block.Transactions() {
			a.sent(tx, hash, uint(index))
		}
	}
	a.both("no block", func(s side) (any, error) { return s.eth.HeaderByHash(a.ctx, word) })
	a.both("no transaction", func(s side) (any, error) {
		tx, pending, err := s.eth.TransactionByHash(a.ctx, word)
		return []any{tx, pending}, err
	})
	a.both("no receipt", func(s side) (any, error) { return s.eth.TransactionReceipt(a.ctx, word) })
}

func callTracer() *tracers.TraceConfig {
	name := "callTracer"
	return &tracers.TraceConfig{Tracer: &name, TracerConfig: []byte(`{"withLog":true}`)}
}

// state asks for accounts at a block, by number and by hash.
func (a *asked) state(at network, n *big.Int, hash common.Hash) {
	a.both("balance", func(s side) (any, error) { return s.eth.BalanceAt(a.ctx, at.account, n) })
	a.both("balance by hash", func(s side) (any, error) { return s.eth.BalanceAtHash(a.ctx, at.account, hash) })
	a.both("nonce", func(s side) (any, error) { return s.eth.NonceAtHash(a.ctx, at.contract, hash) })
	a.both("slot", func(s side) (any, error) { return s.eth.StorageAt(a.ctx, at.contract, common.Hash{}, n) })
	a.both("code", func(s side) (any, error) { return s.eth.CodeAtHash(a.ctx, at.contract, hash) })
	keys := []string{common.Hash{}.Hex(), word.Hex()}
	a.both("proof", func(s side) (any, error) { return s.geth.GetProof(a.ctx, at.contract, keys, n) })
}

// sent asks for one transaction in every way.
func (a *asked) sent(tx *types.Transaction, block common.Hash, index uint) {
	hash := tx.Hash()
	a.both("transaction", func(s side) (any, error) {
		tx, pending, err := s.eth.TransactionByHash(a.ctx, hash)
		return []any{tx, pending}, err
	})
	a.both("sender", func(s side) (any, error) {
		found, err := s.eth.TransactionInBlock(a.ctx, block, index)
		if err != nil {
			return nil, err
		}
		return s.eth.TransactionSender(a.ctx, found, block, index)
	})
	a.both("receipt", func(s side) (any, error) { return s.eth.TransactionReceipt(a.ctx, hash) })
	a.both("trace", func(s side) (any, error) { return s.geth.TraceTransaction(a.ctx, hash, nil) })
	a.both("calls", func(s side) (any, error) {
		return s.geth.TraceTransactionWithCallTracer(a.ctx, hash, &gethclient.CallTracerConfig{WithLog: true})
	})
}

// calls asks what would happen.
func (a *asked) calls(at network) {
	n := new(big.Int).SetUint64(at.block)
	call := ethereum.CallMsg{From: at.account, To: &at.contract, Data: word[:]}
	code := map[common.Address]gethclient.OverrideAccount{at.contract: {Code: reverts}}
	number := rpc.BlockNumberOrHashWithNumber(rpc.BlockNumber(at.block))
	a.both("call", func(s side) (any, error) { return s.eth.CallContract(a.ctx, call, n) })
	a.both("overridden", func(s side) (any, error) { return s.geth.CallContract(a.ctx, call, n, &code) })
	later := gethclient.BlockOverrides{Number: big.NewInt(1_000_000), Time: 1 << 40}
	a.both("in another block", func(s side) (any, error) {
		return s.geth.CallContractWithBlockOverrides(a.ctx, call, n, nil, later)
	})
	a.both("gas", func(s side) (any, error) { return s.eth.EstimateGasAtBlock(a.ctx, call, n) })
	a.both("traced call", func(s side) (any, error) {
		return s.geth.TraceCallWithCallTracer(a.ctx, call, number, code, nil, nil)
	})
	// The same whatever block is the newest.
	a.both("access list", func(s side) (any, error) {
		list, _, failed, err := s.geth.CreateAccessList(a.ctx, ethereum.CallMsg{From: at.account, To: &at.account})
		return []any{list, failed}, err
	})
	a.both("simulated", func(s side) (any, error) {
		blocks := []ethclient.SimulateBlock{{Calls: []ethereum.CallMsg{call}}}
		return s.eth.SimulateV1(a.ctx, ethclient.SimulateOptions{BlockStateCalls: blocks}, &number)
	})
	logs := ethereum.FilterQuery{Addresses: []common.Address{at.contract}, FromBlock: new(big.Int), ToBlock: n}
	a.both("logs", func(s side) (any, error) { return s.eth.FilterLogs(a.ctx, logs) })
	logs.ToBlock, logs.Topics = n, [][]common.Hash{{}, {word}}
	a.both("no logs", func(s side) (any, error) { return s.eth.FilterLogs(a.ctx, logs) })
}

// node asks about the node.
func (a *asked) node(at network) {
	a.both("chain", func(s side) (any, error) { return s.eth.ChainID(a.ctx) })
	a.both("network", func(s side) (any, error) { return s.eth.NetworkID(a.ctx) })
	a.both("syncing", func(s side) (any, error) { return s.eth.SyncProgress(a.ctx) })
	a.both("blob fee", func(s side) (any, error) { return s.eth.BlobBaseFee(a.ctx) })
	n := new(big.Int).SetUint64(at.block)
	a.both("fees", func(s side) (any, error) { return s.eth.FeeHistory(a.ctx, 4, n, []float64{10, 90}) })
}
