package main

import (
	"crypto/ecdsa"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"os"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
)

// signers are accounts that no block of the chain uses: their nonces begin with 0.
func signers(count int, seed int64) ([]*ecdsa.PrivateKey, error) {
	keys := make([]*ecdsa.PrivateKey, count)
	for i := range keys {
		text := binary.BigEndian.AppendUint64([]byte("maidenlane signer"), uint64(seed))
		key, err := crypto.ToECDSA(crypto.Keccak256(binary.BigEndian.AppendUint32(text, uint32(i))))
		if err != nil {
			return nil, err
		}
		keys[i] = key
	}
	return keys, nil
}

// endow gives each of them enough for all that it sends.
func endow(genesis *core.Genesis, keys []*ecdsa.PrivateKey) {
	balance := new(big.Int).Mul(big.NewInt(1_000), big.NewInt(params.Ether))
	for _, key := range keys {
		genesis.Alloc[crypto.PubkeyToAddress(key.PublicKey)] = types.Account{Balance: balance}
	}
}

// writeSigned writes transfers that nodes take on top of the chain, one in hexadecimal on each line: the first of every
// account, then the second of every account, and so on.
func writeSigned(path string, count int, keys []*ecdsa.PrivateKey) error {
	var text strings.Builder
	to := common.HexToAddress("0x0707070707070707070707070707070707070707")
	signer := types.LatestSignerForChainID(big.NewInt(chainID))
	for i := range count {
		tx, err := types.SignNewTx(keys[i%len(keys)], signer, &types.DynamicFeeTx{
			ChainID: big.NewInt(chainID), Nonce: uint64(i / len(keys)), Gas: params.TxGas, To: &to, Value: big.NewInt(1),
			GasFeeCap: big.NewInt(100 * gwei), GasTipCap: big.NewInt(gwei),
		})
		if err != nil {
			return err
		}
		raw, err := tx.MarshalBinary()
		if err != nil {
			return err
		}
		text.WriteString("0x" + hex.EncodeToString(raw) + "\n")
	}
	return os.WriteFile(path, []byte(text.String()), 0o644)
}
