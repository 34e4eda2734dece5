package main

import (
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// next is the next item of a subscription.
func next[T any](what string, items <-chan T, failed <-chan error) (T, error) {
	var none T
	select {
	case item := <-items:
		return item, nil
	case err := <-failed:
		return none, fmt.Errorf("the subscription to %s ended: %v", what, err)
	case <-time.After(soon):
		return none, fmt.Errorf("no %s within %v", what, soon)
	}
}

// subscriptions over WebSocket tell of the next blocks, logs and receipts.
func (a *asked) subscriptions(s side, at network) error {
	heads, logs, mined := make(chan *types.Header, 64), make(chan types.Log, 1024), make(chan []*types.Receipt, 64)
	toHeads, err := s.eth.SubscribeNewHead(a.ctx, heads)
	if err != nil {
		return err
	}
	query := ethereum.FilterQuery{Addresses: []common.Address{at.contract}}
	toLogs, err := s.eth.SubscribeFilterLogs(a.ctx, query, logs)
	if err != nil {
		return err
	}
	toMined, err := s.eth.SubscribeTransactionReceipts(a.ctx, nil, mined)
	if err != nil {
		return err
	}
	first, err := next("head", heads, toHeads.Err())
	if err != nil {
		return err
	}
	second, err := next("head", heads, toHeads.Err())
	if err != nil {
		return err
	}
	a.holds("heads follow each other", second.ParentHash == first.Hash())
	log, err := next("log", logs, toLogs.Err())
	if err != nil {
		return err
	}
	a.holds("a log is the contract's", log.Address == at.contract && !log.Removed)
	receipts, err := next("receipts", mined, toMined.Err())
	if err != nil {
		return err
	}
	a.holds("receipts come", len(receipts) > 0 && receipts[0].BlockNumber.Uint64() > at.block)
	toHeads.Unsubscribe()
	toLogs.Unsubscribe()
	toMined.Unsubscribe()
	number, err := s.eth.BlockNumber(a.ctx)
	a.holds("the connection is still good", err == nil && number > at.block)
	return nil
}

// transaction is sent to the replica, delivered by others, mined.
func (a *asked) transaction(at network, key *ecdsa.PrivateKey) error {
	eth := a.replica.eth
	chain, err := eth.ChainID(a.ctx)
	if err != nil {
		return err
	}
	nonce, err := eth.PendingNonceAt(a.ctx, at.account)
	if err != nil {
		return err
	}
	tip, err := eth.SuggestGasTipCap(a.ctx)
	if err != nil {
		return err
	}
	price, err := eth.SuggestGasPrice(a.ctx)
	if err != nil {
		return err
	}
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(chain), &types.DynamicFeeTx{
		ChainID: chain, Nonce: nonce, GasTipCap: tip, GasFeeCap: price.Mul(price, big.NewInt(3)), Gas: 200_000,
		To: &at.contract, Data: word[:],
	})
	if err != nil {
		return err
	}
	wait := soon
	receipt, err := eth.SendTransactionSync(a.ctx, tx, &wait)
	if err != nil {
		return err
	}
	a.holds("the transaction is mined", receipt.TxHash == tx.Hash() && receipt.Status == 1)
	return nil
}
