package main

import (
	"encoding/json"
	"math/big"
	"os"

	"github.com/ethereum/go-ethereum/beacon/engine"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// writePayloads writes a line for each block: the parameters of the engine_newPayloadV4 that feeds it to a geth. No block
// after the last special one has requests.
func writePayloads(path string, blocks []*types.Block) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(file)
	for _, block := range blocks {
		blobs := []common.Hash{}
		for _, tx := range block.Transactions() {
			blobs = append(blobs, tx.BlobHashes()...)
		}
		payload := engine.BlockToExecutableData(block, new(big.Int), nil, nil).ExecutionPayload
		if err := lines.Encode([]any{payload, blobs, block.BeaconRoot(), []any{}}); err != nil {
			return err
		}
	}
	return file.Close()
}
