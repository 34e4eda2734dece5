package main

import (
	"crypto/ecdsa"
	"encoding/binary"
	"math/big"
	"math/rand"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"
)

const (
	chainID  = 7001
	accounts = 8
	senders  = 1000
	gwei     = params.GWei

	berlin, london, merge           = 16, 18, 24
	shanghai, cancun, prague, osaka = 27, 31, 36, 42
	bpo1, bpo2                      = 47, 52
)

// maker holds the accounts and contracts of the chain that is being made.
type maker struct {
	txs  int
	rand *rand.Rand
	keys []*ecdsa.PrivateKey
	seed int64

	store, logger, reverter, factory, flash common.Address
	// With more kinds of contracts than the plain chain.
	varied bool
	kinds  kinds
}

func newMaker(txs int, seed int64) *maker {
	m := &maker{txs: txs, seed: seed, rand: rand.New(rand.NewSource(seed))}
	for i := range accounts {
		text := binary.BigEndian.AppendUint64([]byte("maidenlane chaingen"), uint64(seed))
		key, err := crypto.ToECDSA(crypto.Keccak256(append(text, byte(i))))
		if err != nil {
			panic(err)
		}
		m.keys = append(m.keys, key)
	}
	return m
}

func (m *maker) address(i int) common.Address {
	return crypto.PubkeyToAddress(m.keys[i%accounts].PublicKey)
}

// genesis: one block every 10 seconds, so a fork at block n is at second 10 n.
func (m *maker) genesis() *core.Genesis {
	at := func(block uint64) *uint64 { seconds := 10 * block; return &seconds }
	config := &params.ChainConfig{
		ChainID: big.NewInt(chainID), HomesteadBlock: big.NewInt(1), EIP150Block: big.NewInt(2),
		EIP155Block: big.NewInt(4), EIP158Block: big.NewInt(4), ByzantiumBlock: big.NewInt(6),
		ConstantinopleBlock: big.NewInt(8), PetersburgBlock: big.NewInt(10), IstanbulBlock: big.NewInt(12),
		MuirGlacierBlock: big.NewInt(14), BerlinBlock: big.NewInt(berlin), LondonBlock: big.NewInt(london),
		ArrowGlacierBlock: big.NewInt(20), GrayGlacierBlock: big.NewInt(22), MergeNetsplitBlock: big.NewInt(merge),
		TerminalTotalDifficulty: big.NewInt(1), Ethash: new(params.EthashConfig),
		ShanghaiTime: at(shanghai), CancunTime: at(cancun), PragueTime: at(prague), OsakaTime: at(osaka),
		BPO1Time: at(bpo1), BPO2Time: at(bpo2),
		DepositContractAddress: common.HexToAddress("0x00000000219ab540356cbb839cbe05303d7705fa"),
		BlobScheduleConfig: &params.BlobScheduleConfig{
			Cancun: params.DefaultCancunBlobConfig, Prague: params.DefaultPragueBlobConfig,
			BPO1: params.DefaultBPO1BlobConfig, BPO2: params.DefaultBPO2BlobConfig,
		},
	}
	alloc := types.GenesisAlloc{
		params.BeaconRootsAddress:        {Nonce: 1, Code: params.BeaconRootsCode, Balance: new(big.Int)},
		params.HistoryStorageAddress:     {Nonce: 1, Code: params.HistoryStorageCode, Balance: new(big.Int)},
		params.WithdrawalQueueAddress:    {Nonce: 1, Code: params.WithdrawalQueueCode, Balance: new(big.Int)},
		params.ConsolidationQueueAddress: {Nonce: 1, Code: params.ConsolidationQueueCode, Balance: new(big.Int)},
		// One account with storage from the beginning, one that is only a balance.
		common.HexToAddress("0x5702e00000000000000000000000000000000001"): {
			Nonce: 1, Code: storeCode, Balance: big.NewInt(1),
			Storage: map[common.Hash]common.Hash{{31: 1}: {31: 1}, {31: 2}: {0: 1}, {0: 0xff}: {31: 3}},
		},
		common.HexToAddress("0xba1a00ce00000000000000000000000000000001"): {Balance: big.NewInt(12345)},
	}
	for i := range m.keys {
		alloc[m.address(i)] = types.Account{Balance: new(big.Int).Mul(big.NewInt(1_000_000), big.NewInt(params.Ether))}
	}
	return &core.Genesis{
		Config: config, Difficulty: big.NewInt(params.MinimumDifficulty.Int64()), GasLimit: 40_000_000,
		ExtraData: []byte("maidenlane"), Alloc: alloc,
	}
}

// block fills block i+1.
func (m *maker) block(i int, b *core.BlockGen) {
	number := i + 1
	b.SetCoinbase(common.Address{0xc0, 19: byte(number % 5)})
	b.SetExtra([]byte{byte(number)})
	if number >= cancun {
		b.SetParentBeaconRoot(crypto.Keccak256Hash(word(uint64(number))))
	}
	m.special(number, b)
	if number > 1 {
		for range m.txs {
			m.ordinary(number, b)
		}
	}
	if m.varied {
		m.more(number, b)
	}
	if number >= shanghai {
		for range 1 + number%3 {
			to := m.address(m.rand.Intn(accounts))
			b.AddWithdrawal(&types.Withdrawal{Validator: uint64(number), Address: to, Amount: uint64(1 + m.rand.Intn(1_000_000))})
		}
	}
	if number == 5 || number == 20 { // a sibling of the block before becomes an uncle
		uncle := b.PrevBlock(i - 1).Header()
		uncle.Extra, uncle.Coinbase = []byte("uncle"), common.Address{0xdd}
		b.AddUncle(uncle)
	}
}

// ordinary is a transfer, a storage write or a log, from and to anybody.
func (m *maker) ordinary(number int, b *core.BlockGen) {
	from := m.rand.Intn(accounts)
	switch m.rand.Intn(4) {
	case 0:
		to := common.BigToAddress(big.NewInt(0x10000 + int64(m.rand.Intn(1000))))
		m.send(b, from, &to, int64(1+m.rand.Intn(1_000_000)), nil, 21_000)
	case 1, 2:
		slot, value := uint64(m.rand.Intn(200)), uint64(m.rand.Intn(4)) // zero clears
		m.send(b, from, &m.store, 0, append(word(slot), word(value)...), 100_000)
	default:
		m.send(b, from, &m.logger, 0, word(uint64(number)), 100_000)
	}
}

// send adds a transaction of the newest plain type that the block's fork knows, or now and then an older one.
func (m *maker) send(b *core.BlockGen, from int, to *common.Address, value int64, input []byte, gas uint64) *types.Transaction {
	number, nonce := int(b.Number().Int64()), b.TxNonce(m.address(from))
	price := big.NewInt(10 * gwei)
	if number >= london {
		price = new(big.Int).Add(new(big.Int).Mul(b.BaseFee(), big.NewInt(2)), big.NewInt(gwei))
	}
	var tx types.TxData = &types.LegacyTx{Nonce: nonce, GasPrice: price, Gas: gas, To: to, Value: big.NewInt(value), Data: input}
	choice := m.rand.Intn(4)
	list := types.AccessList{{Address: m.store, StorageKeys: []common.Hash{{31: 1}, {31: 2}}}}
	switch {
	case number >= london && choice >= 2:
		tx = &types.DynamicFeeTx{
			ChainID: big.NewInt(chainID), Nonce: nonce, GasFeeCap: price, GasTipCap: big.NewInt(gwei), Gas: gas,
			To: to, Value: big.NewInt(value), Data: input,
		}
	case number >= berlin && choice >= 1:
		tx = &types.AccessListTx{
			ChainID: big.NewInt(chainID), Nonce: nonce, GasPrice: price, Gas: gas + 20_000, To: to,
			Value: big.NewInt(value), Data: input, AccessList: list,
		}
	}
	return m.add(b, from, tx)
}

func (m *maker) add(b *core.BlockGen, from int, tx types.TxData) *types.Transaction {
	signed := types.MustSignNewTx(m.keys[from%accounts], b.Signer(), tx)
	b.AddTx(signed)
	return signed
}

func (m *maker) create(b *core.BlockGen, from int, init []byte) common.Address {
	tx := m.send(b, from, nil, 0, init, 500_000)
	return crypto.CreateAddress(m.address(from), tx.Nonce())
}

func (m *maker) blob(b *core.BlockGen, from, blobs int) {
	to := m.address(from + 1)
	tx := &types.BlobTx{
		ChainID: uint256.NewInt(chainID), Nonce: b.TxNonce(m.address(from)), Gas: 21_000, To: to, Value: uint256.NewInt(1),
		GasFeeCap: uint256.MustFromBig(new(big.Int).Add(b.BaseFee(), big.NewInt(gwei))), GasTipCap: uint256.NewInt(gwei),
		BlobFeeCap: uint256.NewInt(gwei),
	}
	for i := range blobs {
		tx.BlobHashes = append(tx.BlobHashes, common.Hash{0: 1, 30: byte(b.Number().Int64()), 31: byte(i)})
	}
	m.add(b, from, tx)
}

// delegate lets account of run the code at to (EIP-7702), paid by from.
func (m *maker) delegate(b *core.BlockGen, from, of int, to common.Address) {
	auth := types.SetCodeAuthorization{ChainID: *uint256.NewInt(chainID), Address: to, Nonce: b.TxNonce(m.address(of))}
	auth, err := types.SignSetCode(m.keys[of], auth)
	if err != nil {
		panic(err)
	}
	m.add(b, from, &types.SetCodeTx{
		ChainID: uint256.NewInt(chainID), Nonce: b.TxNonce(m.address(from)), Gas: 200_000, To: m.address(of),
		GasFeeCap: uint256.MustFromBig(new(big.Int).Add(b.BaseFee(), big.NewInt(gwei))), GasTipCap: uint256.NewInt(gwei),
		Value: new(uint256.Int), Data: append(word(5), word(uint64(b.Number().Int64()))...), AuthList: []types.SetCodeAuthorization{auth},
	})
}
