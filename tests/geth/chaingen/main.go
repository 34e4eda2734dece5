// Command chaingen makes a chain of its own through all forks up to BPO2, for tests and benchmarks without a network.
//
// The same flags give the same bytes. It writes genesis.json, chain.rlp and headfcu.json, the names that a chain
// directory has everywhere in this repository; a stock geth imports it. Blocks that are to be fed instead, as a consensus
// client does, go to payloads.jsonl; transactions that nodes take on top of the chain, to signed.txt.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/big"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/consensus/beacon"
	"github.com/ethereum/go-ethereum/consensus/ethash"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
)

func main() {
	var (
		out    = flag.String("out", "", "directory to write to, made if absent")
		blocks = flag.Int("blocks", 64, "number of blocks; all forks are active from 52 on")
		txs    = flag.Int("txs", 3, "ordinary transactions per block, besides the special ones")
		varied = flag.Bool("varied", false, "more kinds of contracts, for comparing answers")
		fed    = flag.Int("fed", 0, "so many more blocks, to be fed over the engine API")
		rows   = flag.Int("rows", 0, "accounts and slots of the genesis, besides those of the chain; large.json counts them")
		signed = flag.Int("signed", 0, "so many transactions of accounts beside the chain's own")
		seed   = flag.Int64("seed", 1, "chooses accounts, amounts and slots")
	)
	flag.Parse()
	if *out == "" || *blocks < 1 || *txs < 0 || *txs > 500 || *fed < 0 || *rows < 0 || *signed < 0 || (*fed > 0 && *blocks < bpo2) || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(64)
	}
	if err := run(*out, *blocks, *fed, *txs, *rows, *signed, *seed, *varied); err != nil {
		log.Fatal("chaingen: ", err)
	}
}

func run(out string, count, fed, txs, rows, signed int, seed int64, varied bool) error {
	maker := newMaker(txs, seed)
	maker.varied = varied
	genesis, state := maker.genesis(), spread(rows)
	state.fill(genesis.Alloc)
	keys, err := signers(min(signed, senders), seed)
	if err != nil {
		return err
	}
	endow(genesis, keys)
	engine := beacon.New(ethash.NewFaker())
	_, blocks, _ := core.GenerateChainWithGenesis(genesis, engine, count+fed, maker.block)
	genesis.Config.TerminalTotalDifficulty = workOf(genesis, blocks)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	blocks, later := blocks[:count], blocks[count:]
	if fed > 0 {
		if err := writePayloads(filepath.Join(out, "payloads.jsonl"), later); err != nil {
			return err
		}
	}
	if signed > 0 {
		if err := writeSigned(filepath.Join(out, "signed.txt"), signed, keys); err != nil {
			return err
		}
	}
	if err := writeChain(filepath.Join(out, "chain.rlp"), blocks); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(out, "genesis.json"), genesis); err != nil {
		return err
	}
	if rows > 0 {
		if err := writeJSON(filepath.Join(out, "large.json"), state); err != nil {
			return err
		}
	}
	head := blocks[len(blocks)-1]
	choice := map[string]any{"headBlockHash": head.Hash(), "safeBlockHash": head.Hash(), "finalizedBlockHash": head.Hash()}
	request := map[string]any{
		"jsonrpc": "2.0", "id": fmt.Sprintf("fcu%d", head.NumberU64()),
		"method": "engine_forkchoiceUpdatedV3", "params": []any{choice, nil},
	}
	return writeJSON(filepath.Join(out, "headfcu.json"), request)
}

// workOf is the total difficulty at the merge.
func workOf(genesis *core.Genesis, blocks []*types.Block) *big.Int {
	work := new(big.Int).Set(genesis.Difficulty)
	for _, block := range blocks {
		work.Add(work, block.Difficulty())
	}
	return work
}

func writeChain(path string, blocks []*types.Block) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	for _, block := range blocks {
		if err := block.EncodeRLP(file); err != nil {
			return err
		}
	}
	return file.Close()
}

func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
