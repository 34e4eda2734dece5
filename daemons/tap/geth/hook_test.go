package live

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/consensus/beacon"
	"github.com/ethereum/go-ethereum/consensus/ethash"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/trie/trienode"
)

const (
	chainBlocks = 6
	firstCancun = 4 // blocks 10 seconds apart: Cancun is at second 40
)

var (
	key, _ = crypto.HexToECDSA("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291")
	sender = crypto.PubkeyToAddress(key.PublicKey)
	store  = common.HexToAddress("0x5702e0000000000000000000000000000000000e")
	dev    = common.HexToAddress("0xde7")
)

// genesis has one contract that stores the block number at the slot numbered so, and clears slot 1 from block 3 on.
func genesis() *core.Genesis {
	config := *params.MergedTestChainConfig
	cancun := uint64(10 * firstCancun)
	config.CancunTime, config.PragueTime, config.OsakaTime = &cancun, nil, nil
	config.BPO1Time, config.BPO2Time, config.AmsterdamTime = nil, nil, nil
	// NUMBER NUMBER SSTORE, PUSH1 2 NUMBER GT ISZERO PUSH1 end JUMPI, PUSH0 PUSH1 1 SSTORE, end: JUMPDEST
	code := common.FromHex("0x4343556002431115600f575f6001555b00")
	return &core.Genesis{
		Config: &config, GasLimit: 30_000_000, BaseFee: big.NewInt(params.InitialBaseFee), Difficulty: common.Big0,
		Alloc: types.GenesisAlloc{
			sender: {Balance: big.NewInt(params.Ether)},
			store:  {Code: code, Balance: common.Big1, Storage: map[common.Hash]common.Hash{{31: 9}: {31: 7}, {31: 8}: {31: 7}}},
		},
	}
}

func blocks(t *testing.T) []*types.Block {
	t.Helper()
	_, blocks, _ := core.GenerateChainWithGenesis(genesis(), beacon.New(ethash.NewFaker()), chainBlocks, func(i int, b *core.BlockGen) {
		b.SetCoinbase(dev)
		tx := &types.DynamicFeeTx{
			ChainID: genesis().Config.ChainID, Nonce: b.TxNonce(sender), To: &store, Gas: 100_000,
			GasFeeCap: big.NewInt(2 * params.InitialBaseFee), GasTipCap: common.Big1,
		}
		b.AddTx(types.MustSignNewTx(key, b.Signer(), tx))
	})
	return blocks
}

// door opens a chain whose every block passes the hook.
type door struct {
	t     *testing.T
	spool string
	hook  *maidenlane
	hooks *tracing.Hooks
	chain *core.BlockChain
}

func open(t *testing.T, spool string, more string) *door {
	t.Helper()
	hook, err := newHook(fmt.Appendf(nil, `{"spool":%q,"minFree_MB":1%s}`, spool, more))
	if err != nil {
		t.Fatal(err)
	}
	options := core.DefaultConfig().WithStateScheme(rawdb.PathScheme)
	hooks := hook.hooks()
	options.VmConfig = vm.Config{Tracer: hooks}
	chain, err := core.NewBlockChain(rawdb.NewMemoryDatabase(), genesis(), beacon.New(ethash.NewFaker()), options)
	if err != nil {
		t.Fatal(err)
	}
	return &door{t, spool, hook, hooks, chain}
}

func (d *door) insert(blocks ...*types.Block) *door {
	d.t.Helper()
	if _, err := d.chain.InsertChain(blocks); err != nil {
		d.t.Fatal(err)
	}
	return d
}

// kinds stops the chain and tells the kinds of all frames, one segment after the other.
func (d *door) kinds() string {
	d.t.Helper()
	d.chain.Stop()
	return kindsOf(d.t, d.spool)
}

type parsed struct {
	kind    byte
	payload []rlp.RawValue
	bytes   []byte
}

func segments(t *testing.T, spool string) [][]parsed {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join(spool, "*"+fileEnd))
	slices.Sort(paths)
	var all [][]parsed
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var frames []parsed
		for len(data) >= 10 {
			end := 8 + int(binary.LittleEndian.Uint32(data))
			if end > len(data) {
				break // torn
			}
			if crc32.Checksum(data[8:end], castagnoli) != binary.LittleEndian.Uint32(data[4:]) {
				t.Fatalf("%s: bad checksum", path)
			}
			frame := parsed{kind: data[9], bytes: data[:end]}
			if err := rlp.DecodeBytes(data[10:end], &frame.payload); err != nil {
				t.Fatal(err)
			}
			frames, data = append(frames, frame), data[end:]
		}
		all = append(all, frames)
	}
	return all
}

func kindsOf(t *testing.T, spool string) string {
	t.Helper()
	var text []string
	for _, segment := range segments(t, spool) {
		var line strings.Builder
		for _, frame := range segment {
			line.WriteByte(" IGBRSTEFH"[frame.kind])
		}
		text = append(text, line.String())
	}
	return strings.Join(text, "|")
}

func statesOf(t *testing.T, spool string) (states [][]byte) {
	t.Helper()
	for _, segment := range segments(t, spool) {
		for _, frame := range segment {
			if frame.kind == kindState || frame.kind == kindTrie {
				states = append(states, frame.bytes)
			}
		}
	}
	return states
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %s, want %s", what, got, want)
	}
}

func TestEveryBlockIsOneGroup(t *testing.T) {
	d := open(t, t.TempDir(), "").insert(blocks(t)...)
	want(t, "frames", d.kinds(), "IG"+strings.Repeat("BRSE", chainBlocks))
}

func TestEqualBlocksGiveEqualBytes(t *testing.T) {
	one, two := open(t, t.TempDir(), `,"trie":true`), open(t, t.TempDir(), `,"trie":true`)
	chain := blocks(t)
	one.insert(chain...).chain.Stop()
	for _, block := range chain { // one by one, as near the head
		two.insert(block)
	}
	two.chain.Stop()
	first, second := statesOf(t, one.spool), statesOf(t, two.spool)
	if len(first) != 2*chainBlocks || !slices.EqualFunc(first, second, bytes.Equal) {
		t.Errorf("%d and %d STATE and TRIE frames differ", len(first), len(second))
	}
}

func TestStateFrame(t *testing.T) {
	chain := blocks(t)
	d := open(t, t.TempDir(), "").insert(chain...)
	d.chain.Stop()
	type slot struct {
		Key       common.Hash
		Prev, New []byte
	}
	var root common.Hash
	if g, err := genesis().ToBlock(), error(nil); err == nil {
		root = g.Root()
	}
	for i, raw := range statesOf(t, d.spool) {
		var state struct {
			Hash             common.Hash
			Number           uint64
			OriginRoot, Root common.Hash
			Hashed           bool
			Accounts         []struct {
				Address   common.Address
				Prev, New []byte
			}
			Storage []struct {
				Address common.Address
				Slots   []slot
			}
			Codes []rlp.RawValue
		}
		if err := rlp.DecodeBytes(raw[10:], &state); err != nil {
			t.Fatal(err)
		}
		number := uint64(i + 1)
		if state.Hash != chain[i].Hash() || state.Number != number || state.OriginRoot != root || state.Root != chain[i].Root() {
			t.Errorf("block %d: hash, number or roots are wrong", number)
		}
		root = state.Root
		want(t, "hashed keys", fmt.Sprint(state.Hashed), fmt.Sprint(number < firstCancun))
		if len(state.Accounts) < 3 || len(state.Codes) != 0 {
			t.Errorf("block %d: %d accounts, %d codes", number, len(state.Accounts), len(state.Codes))
		}
		if number == 1 && len(state.Storage) == 1 {
			got := fmt.Sprintf("%v %x", state.Storage[0].Address == store, state.Storage[0].Slots)
			plain := common.Hash{31: 1}
			want(t, "slots of block 1", got, fmt.Sprintf("true [{%x  01}]", crypto.Keccak256(plain[:])))
		}
		if number == firstCancun {
			for _, account := range state.Storage {
				if account.Address == store {
					want(t, "slots of block 4", fmt.Sprintf("%x", account.Slots), fmt.Sprintf("[{%x  04}]", common.Hash{31: 4}))
				}
			}
		}
		if number == 3 && len(state.Storage[0].Slots) != 2 {
			t.Errorf("block 3 writes slot 3 and clears slot 1: %x", state.Storage)
		}
	}
}

func TestReceiptsMatchTheHeader(t *testing.T) {
	chain := blocks(t)
	d := open(t, t.TempDir(), "").insert(chain...)
	d.chain.Stop()
	i := 0
	for _, frame := range segments(t, d.spool)[0] {
		if frame.kind != kindReceipts {
			continue
		}
		var items []rlp.RawValue
		if err := rlp.DecodeBytes(frame.payload[1], &items); err != nil || len(items) != 1 {
			t.Fatal(items, err)
		}
		var receipts types.Receipts
		if err := rlp.DecodeBytes(frame.payload[1], &receipts); err != nil {
			t.Fatal(err)
		}
		if types.DeriveSha(receipts, trie.NewStackTrie(nil)) != chain[i].ReceiptHash() {
			t.Errorf("receipts of block %d do not hash to the header's root", i+1)
		}
		i++
	}
	want(t, "blocks with receipts", fmt.Sprint(i), fmt.Sprint(chainBlocks))
}

func TestSendersAreThoseOfTheTransactions(t *testing.T) {
	d := open(t, t.TempDir(), "").insert(blocks(t)...)
	d.chain.Stop()
	for _, frame := range segments(t, d.spool)[0] {
		version, senders := "1", []common.Address{}
		if frame.kind == kindBlock {
			version = "2"
			if err := rlp.DecodeBytes(frame.payload[2], &senders); err != nil || !slices.Equal(senders, []common.Address{sender}) {
				t.Errorf("sent by %v, not %v: %v", senders, sender, err)
			}
		}
		want(t, "version", fmt.Sprint(frame.bytes[8]), version)
	}
}

func TestGenesisFrame(t *testing.T) {
	d := open(t, t.TempDir(), "")
	d.chain.Stop()
	var alloc []struct {
		Address       common.Address
		Nonce         uint64
		Balance, Code []byte
		Storage       []struct {
			Key   common.Hash
			Value []byte
		}
	}
	if err := rlp.DecodeBytes(segments(t, d.spool)[0][1].payload[1], &alloc); err != nil {
		t.Fatal(err)
	}
	if len(alloc) != 2 || alloc[0].Address != store || len(alloc[0].Storage) != 2 || alloc[0].Storage[0].Key != (common.Hash{31: 8}) {
		t.Errorf("the allocation is not whole or not sorted: %x", alloc)
	}
}

func TestPanicMarksAHoleAndGoesOn(t *testing.T) {
	t.Setenv(panicEnv, "3")
	d := open(t, t.TempDir(), "").insert(blocks(t)...)
	want(t, "head", d.chain.CurrentBlock().Number.String(), fmt.Sprint(chainBlocks))
	want(t, "frames", d.kinds(), "IGBRSEBRSEHBRSEBRSEBRSE")
}

func TestPanicInAnyHookForgetsTheBlock(t *testing.T) {
	d := open(t, t.TempDir(), "")
	d.hook.onBlockStart(tracing.BlockEvent{}) // no block
	d.hook.onStateUpdate(&tracing.StateUpdate{})
	d.hook.onBlockStart(tracing.BlockEvent{Block: types.NewBlockWithHeader(&types.Header{Number: common.Big1})})
	d.hook.onStateUpdate(nil)
	d.hook.onStateUpdate(&tracing.StateUpdate{})
	want(t, "frames", d.kinds(), "IGHH")
}

func TestStateOfNoBlockMarksAHole(t *testing.T) {
	d := open(t, t.TempDir(), "")
	d.hook.onBlockStart(tracing.BlockEvent{Block: blocks(t)[0]})
	d.hook.onStateUpdate(&tracing.StateUpdate{BlockNumber: 1}) // its transaction has not ended, and its root is another
	want(t, "frames", d.kinds(), "IGH")
}

// witness runs the hooks that geth runs for debug_executionWitness, on the goroutine of the request.
func (d *door) witness(block *types.Block, all bool) {
	receipt := &types.Receipt{BlockHash: block.Hash()}
	if all { // as geth 1.17.0; later ones only tell of transactions
		d.hook.onBlockStart(tracing.BlockEvent{Block: block})
	}
	d.hook.onTxEnd(receipt, nil)
	if all {
		d.hook.onStateUpdate(&tracing.StateUpdate{Root: block.Root(), BlockNumber: block.NumberU64()})
		d.hook.onBlockEnd(nil)
	}
}

func TestWitnessesBetweenTheHooksChangeNothing(t *testing.T) {
	chain := blocks(t)
	for _, all := range []bool{false, true} {
		d := open(t, t.TempDir(), "").insert(chain[0])
		d.hooks.OnTxEnd = func(receipt *types.Receipt, err error) {
			d.witness(chain[0], all)
			d.hook.onTxEnd(receipt, err)
			d.witness(chain[0], all)
		}
		d.hooks.OnStateUpdate = func(update *tracing.StateUpdate) {
			d.witness(chain[0], false)
			if all {
				d.hook.onBlockStart(tracing.BlockEvent{Block: chain[0]}) // and has not gone on yet
			}
			d.hook.onStateUpdate(update)
		}
		d.insert(chain[1:]...)
		d.chain.Stop()
		whole := open(t, t.TempDir(), "").insert(chain...)
		whole.chain.Stop()
		got, expected := groupsOf(t, d.spool), groupsOf(t, whole.spool)
		for _, block := range chain[1:] {
			if !bytes.Equal(got[block.Hash()], expected[block.Hash()]) {
				t.Errorf("all hooks %v: the frames of block %d are others", all, block.NumberU64())
			}
		}
	}
}

func TestWitnessesBesideAnImportRaceWithNothing(t *testing.T) {
	chain := blocks(t)
	d := open(t, t.TempDir(), "").insert(chain[0])
	var group sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					d.witness(chain[0], false)
				}
			}
		})
	}
	d.insert(chain[1:]...)
	close(stop)
	group.Wait()
	want(t, "frames", d.kinds(), "IG"+strings.Repeat("BRSE", chainBlocks))
}

// groupsOf gives the bytes of each block's frames from BLOCK to END, of the last time that it was written.
func groupsOf(t *testing.T, spool string) map[common.Hash][]byte {
	found, group := map[common.Hash][]byte{}, []byte{}
	for _, segment := range segments(t, spool) {
		for _, frame := range segment {
			if frame.kind == kindBlock {
				group = nil
			}
			group = append(group, frame.bytes...)
			if frame.kind == kindEnd {
				var hash common.Hash
				if err := rlp.DecodeBytes(frame.payload[0], &hash); err != nil {
					t.Fatal(err)
				}
				found[hash] = group
			}
		}
	}
	return found
}

func TestInvalidBlockIsMarked(t *testing.T) {
	chain := blocks(t)
	header := chain[1].Header()
	header.Root = common.Hash{1}
	bad := types.NewBlockWithHeader(header).WithBody(*chain[1].Body())
	d := open(t, t.TempDir(), "").insert(chain[0])
	if _, err := d.chain.InsertChain(types.Blocks{bad}); err == nil {
		t.Fatal("the bad block was accepted")
	}
	d.insert(chain[1])
	want(t, "frames", d.kinds(), "IGBRSEFBRSE")
}

func TestEveryStartOpensASegment(t *testing.T) {
	dir := t.TempDir()
	chain := blocks(t)
	open(t, dir, "").insert(chain[0]).chain.Stop()
	first := filepath.Join(dir, fmt.Sprintf("%020d%s", 1, fileEnd))
	torn, err := os.OpenFile(first, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = torn.Write([]byte{99, 0, 0, 0, 1, 2, 3}) // as a kill leaves it
	_ = torn.Close()
	want(t, "frames", open(t, dir, "").insert(chain[0]).kinds(), "IGBRSE|IGBRSE")
}

func TestSegmentsRotateBetweenBlocks(t *testing.T) {
	d := open(t, t.TempDir(), "")
	d.hook.conf.Segment = 1
	d.insert(blocks(t)[:3]...)
	want(t, "frames", d.kinds(), "IG|IBRSE|IBRSE|IBRSE")
}

func TestFullSpoolKeepsFramesInMemory(t *testing.T) {
	d := open(t, t.TempDir(), "")
	chain := blocks(t)
	whole := d.hook.conf.MaxSpool
	d.hook.conf.MaxSpool = 1
	d.insert(chain[:3]...)
	want(t, "frames while full", kindsOf(t, d.spool), "IG")
	d.hook.conf.MaxSpool = whole
	d.insert(chain[3:]...)
	want(t, "frames", d.kinds(), "IG"+strings.Repeat("BRSE", chainBlocks))
}

func TestFullDiskKeepsFramesInMemory(t *testing.T) {
	d := open(t, t.TempDir(), "")
	chain := blocks(t)
	d.hook.conf.MinFree = 1 << 60
	d.insert(chain[:3]...)
	d.hook.conf.MinFree = 1
	d.insert(chain[3:]...)
	want(t, "frames", d.kinds(), "IG"+strings.Repeat("BRSE", chainBlocks))
}

func TestOverflowMakesOneHole(t *testing.T) {
	d := open(t, t.TempDir(), "")
	chain := blocks(t)
	d.hook.conf.MinFree, d.hook.conf.MemoryMax = 1<<60, 1
	d.insert(chain[:3]...)
	d.hook.conf.MinFree = 1
	d.insert(chain[3:]...)
	want(t, "frames", d.kinds(), "IGHBRSEBRSEBRSE")
}

func TestExitWhileFullMakesAHole(t *testing.T) {
	d := open(t, t.TempDir(), "").insert(blocks(t)[0])
	d.hook.conf.MinFree = 1 << 60
	d.insert(blocks(t)[1:3]...)
	want(t, "frames", d.kinds(), "IGBRSEH")
}

func TestOverflowStopsGethIfAsked(t *testing.T) {
	d := open(t, t.TempDir(), `,"onFull":"StopGeth"`)
	stopped := false
	d.hook.crash = func(string, ...any) { stopped = true }
	d.hook.conf.MinFree, d.hook.conf.MemoryMax = 1<<60, 1
	d.insert(blocks(t)[0])
	if !stopped {
		t.Error("geth went on")
	}
}

func TestFailedSyncWritesAgainElsewhere(t *testing.T) {
	d := open(t, t.TempDir(), "")
	chain := blocks(t)
	d.hook.sync()
	fsync := d.hook.fsync
	d.hook.fsync = func(int) error { return errors.New("EIO") }
	d.insert(chain[:2]...)
	d.hook.sync()
	d.hook.fsync = fsync
	d.insert(chain[2])
	want(t, "frames", d.kinds(), "IGBRSEBRSE|IBRSEBRSEBRSE")
}

func TestFailedSyncAtCloseWritesAgainElsewhere(t *testing.T) {
	d := open(t, t.TempDir(), "")
	d.hook.sync()
	fsync, failures := d.hook.fsync, 2
	d.hook.fsync = func(fd int) error {
		if failures--; failures >= 0 {
			return errors.New("EIO")
		}
		return fsync(fd)
	}
	d.hook.synced = time.Now().Add(time.Hour) // nothing is due before the end
	d.insert(blocks(t)[:2]...)
	want(t, "frames", d.kinds(), "IGBRSEBRSE|IBRSEBRSE|IBRSEBRSE")
	d = open(t, t.TempDir(), "")
	d.hook.sync()
	d.hook.fsync = func(int) error { return errors.New("EIO") }
	d.insert(blocks(t)[0])
	all := d.kinds()
	want(t, "frames", all[len(all)-3:], "|IH")
}

func TestSyncIsPerBlockOnlyNearTheHead(t *testing.T) {
	d := open(t, t.TempDir(), "")
	synced := 0
	d.hook.fsync = func(int) error { synced++; return nil }
	d.insert(blocks(t)...) // from 1970
	if synced > 1 {
		t.Errorf("%d syncs for %d old blocks", synced, chainBlocks)
	}
	before := synced
	d.hook.put(frame(kindHole, []byte{}, uint64(0), "young"), 1<<40)
	want(t, "syncs for a young block", fmt.Sprint(synced-before), "1")
	d.chain.Stop()
}

func TestUnchangedRowsAreDropped(t *testing.T) {
	account, same := &types.StateAccount{Nonce: 1, Balance: common.U2560, CodeHash: types.EmptyCodeHash[:]}, &tracing.ContractCode{Code: []byte{1}}
	account.Root = types.EmptyRootHash
	update := &tracing.StateUpdate{
		AccountChanges: map[common.Address]*tracing.AccountChange{dev: {Prev: account, New: account.Copy()}, store: {New: account}},
		StorageChanges: map[common.Address]map[common.Hash]*tracing.StorageChange{dev: {{1}: {}, {2}: {Prev: common.Hash{1}, New: common.Hash{1}}}},
		CodeChanges:    map[common.Address]*tracing.CodeChange{dev: {Prev: same, New: same}, store: {New: same}},
		TrieChanges:    map[common.Hash]map[string]*tracing.TrieNodeChange{{1}: {"a": {Prev: &trienode.Node{Blob: []byte{1}}, New: &trienode.Node{Blob: []byte{1}}}}},
	}
	got := fmt.Sprint(len(accountRows(update)), len(storageRows(update)), len(codeRows(update)), len(trieRows(update)))
	want(t, "rows", got, "1 0 1 0")
}

func TestSortedIsSorted(t *testing.T) {
	keys := map[common.Hash]bool{{3}: true, {1}: true, {2}: true}
	if !slices.IsSortedFunc(sorted(keys, common.Hash.Cmp), common.Hash.Cmp) || len(slices.Collect(maps.Keys(keys))) != 3 {
		t.Error("not sorted")
	}
}

func TestGoldenFrame(t *testing.T) {
	got := fmt.Sprintf("%x", frame(kindEnd, common.Hash{1}, common.Hash{2}, uint64(300)))
	want(t, "END", got, "490000001bd250c6"+"0107"+"f845a001"+strings.Repeat("00", 31)+"a002"+strings.Repeat("00", 31)+"82012c")
}

func TestBadSettingsAreNamed(t *testing.T) {
	for settings, told := range map[string]string{
		`{}`:                             `"spool" is missing`,
		`{"spool":"/x","onFull":"Wait"}`: `"onFull" is "Wait"`,
		`{"spol":"/x"}`:                  `unknown field "spol"`,
	} {
		if _, err := newHook([]byte(settings)); err == nil || !strings.Contains(err.Error(), told) {
			t.Errorf("%s: %v", settings, err)
		}
	}
}
