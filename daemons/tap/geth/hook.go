// Package live: the Maidenlane hook, a live tracer that writes every executed block's state changes to a spool.
//
// It is the only code of Maidenlane inside the master, so it is boring: it writes frames to local files and does
// nothing else. Copied to eth/tracers/live/maidenlane.go of stock go-ethereum and enabled with
//
//	--vmtrace maidenlane --vmtrace.jsonconfig '{"spool":"/var/lib/maidenlane/spool"}'
//
// The frames are described in daemons/lib/wire/FORMAT.md. Blocks are imported under geth's chain mutex: no network, no
// queue, no goroutine. Requests for witnesses execute blocks beside that, and some versions of geth run hooks there, too
// (1.17.0 all of them, 1.17.5 OnTxEnd): hooks take turns, and find by hash, number and root which block they are about.
// A panic in here would be swallowed by geth's RPC server and lose a block unseen, so every hook recovers and marks a HOLE.
package live

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/eth/tracers"
	"github.com/ethereum/go-ethereum/internal/version"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie/trienode"
)

func init() {
	tracers.LiveDirectory.Register("maidenlane", func(raw json.RawMessage) (*tracing.Hooks, error) {
		m, err := newHook(raw)
		return m.hooks(), err
	})
}

const (
	versions = "\x01\x01\x01\x02\x01\x01\x01\x01\x01\x01" // of frames, by kind: BLOCK has senders since its second

	kindInit, kindGenesis, kindBlock, kindReceipts, kindState = 1, 2, 3, 4, 5
	kindTrie, kindEnd, kindFailed, kindHole                   = 6, 7, 8, 9

	nearHead   = 60 * time.Second // younger blocks are synced one by one
	syncGroups = 32               // older ones in groups of this many …
	syncBytes  = 16 << 20         // … or this large …
	syncAfter  = time.Second      // … or, looked at with every block, this old
	fileEnd    = ".spool"
	runsMax    = 4096                    // executions at a time; only requests for witnesses make more than one
	panicEnv   = "MAIDENLANE_HOOK_PANIC" // for tests: panic at this block number
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type hookConfig struct {
	Spool     string `json:"spool"`        // directory of segment files
	MaxSpool  uint64 `json:"maxSpool_MB"`  // refuse to write when the spool is this large; 0 = 131,072
	MinFree   uint64 `json:"minFree_MB"`   // refuse to write when the disk has less; 0 = 1,024
	Segment   uint64 `json:"segment_MB"`   // a segment is closed at this size; 0 = 64
	MemoryMax int    `json:"memoryMax_MB"` // frames kept while the disk refuses them; 0 = 64
	Trie      bool   `json:"trie"`         // also write trie nodes
	OnFull    string `json:"onFull"`       // "Hole" (default) or "StopGeth" when memory overflows
}

// run is an execution of a block, from OnBlockStart until its frames are in the queue.
type run struct {
	block    *types.Block
	receipts types.Receipts // nil where a transaction has not ended
}

// maidenlane holds what one process needs. The lock is held by the hook that runs.
type maidenlane struct {
	sync.Mutex
	conf    hookConfig // sizes in bytes
	panicAt string
	fsync   func(fd int) error
	crash   func(msg string, ctx ...any)

	chain *params.ChainConfig
	runs  []*run
	usual int // bytes of a block's frames

	file   *os.File
	number uint64 // of the newest segment
	size   uint64 // of file
	total  uint64 // of all segments, as of the last look
	synced time.Time

	queue   [][]byte // groups of frames that are not yet safe, oldest first
	inFile  int      // so many of them are written to file, but not synced
	held    int      // bytes in queue
	hole    string   // why frames were dropped: a HOLE is due before the next group
	closing bool
}

func (m *maidenlane) hooks() *tracing.Hooks {
	return &tracing.Hooks{
		OnBlockchainInit: m.onBlockchainInit, OnGenesisBlock: m.onGenesisBlock, OnBlockStart: m.onBlockStart,
		OnTxEnd: m.onTxEnd, OnStateUpdate: m.onStateUpdate, OnBlockEnd: m.onBlockEnd, OnClose: m.onClose,
	}
}

func newHook(raw json.RawMessage) (*maidenlane, error) {
	m := &maidenlane{panicAt: os.Getenv(panicEnv), fsync: syscall.Fdatasync, crash: log.Crit}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m.conf); err != nil {
		return nil, fmt.Errorf("maidenlane: --vmtrace.jsonconfig: %w", err)
	}
	if m.conf.Spool == "" {
		return nil, errors.New(`maidenlane: --vmtrace.jsonconfig: "spool" is missing, a directory`)
	}
	m.conf.OnFull = cmp.Or(m.conf.OnFull, "Hole")
	if m.conf.OnFull != "Hole" && m.conf.OnFull != "StopGeth" {
		return nil, fmt.Errorf(`maidenlane: --vmtrace.jsonconfig: "onFull" is %q, expected "Hole" or "StopGeth"`, m.conf.OnFull)
	}
	m.conf.MaxSpool = cmp.Or(m.conf.MaxSpool, 131072) << 20
	m.conf.MinFree = cmp.Or(m.conf.MinFree, 1024) << 20
	m.conf.Segment = cmp.Or(m.conf.Segment, 64) << 20
	m.conf.MemoryMax = cmp.Or(m.conf.MemoryMax, 64) << 20
	return m, os.MkdirAll(m.conf.Spool, 0o750)
}

// enter begins a hook and returns its end, which turns a panic into a HOLE and forgets what is executed, so that nothing
// half-known is written for it.
func (m *maidenlane) enter(hook string) func() {
	m.Lock()
	return func() {
		defer m.Unlock()
		if r := recover(); r != nil {
			log.Error("Maidenlane hook panicked, a block is missing from the spool", "hook", hook, "panic", r)
			m.lose(fmt.Sprintf("panic in %s: %v", hook, r))
		}
	}
}

// lose marks a HOLE for the newest block that is executed, and forgets all of them.
func (m *maidenlane) lose(why string) {
	defer func() { _ = recover() }()
	hash, number := []byte{}, uint64(0)
	if len(m.runs) > 0 {
		block := m.runs[len(m.runs)-1].block
		m.runs = nil
		hash, number = block.Hash().Bytes(), block.NumberU64()
	}
	m.put(frame(kindHole, hash, number, why), uint64(time.Now().Unix()))
}

func (m *maidenlane) onBlockchainInit(chain *params.ChainConfig) {
	defer m.enter("OnBlockchainInit")()
	m.chain, m.synced = chain, time.Now()
}

func (m *maidenlane) onGenesisBlock(genesis *types.Block, alloc types.GenesisAlloc) {
	defer m.enter("OnGenesisBlock")()
	var accounts []any
	for _, address := range sorted(alloc, common.Address.Cmp) {
		account, slots := alloc[address], []any{}
		for _, key := range sorted(account.Storage, common.Hash.Cmp) {
			if value := account.Storage[key]; value != (common.Hash{}) {
				slots = append(slots, []any{key, trimmed(value)})
			}
		}
		balance := cmp.Or(account.Balance, new(big.Int))
		accounts = append(accounts, []any{address, account.Nonce, balance, account.Code, slots})
	}
	m.put(frame(kindGenesis, genesis, accounts), genesis.Time())
}

func (m *maidenlane) onBlockStart(event tracing.BlockEvent) {
	defer m.enter("OnBlockStart")()
	begun := &run{event.Block, make(types.Receipts, len(event.Block.Transactions()))}
	m.runs = append(m.runs[max(0, len(m.runs)+1-runsMax):], begun)
}

func (m *maidenlane) onTxEnd(receipt *types.Receipt, err error) {
	defer m.enter("OnTxEnd")()
	for _, run := range m.runs {
		if err == nil && receipt != nil && receipt.BlockHash == run.block.Hash() {
			run.receipts[receipt.TransactionIndex] = receipt // of every execution the same
		}
	}
}

// onStateUpdate is the last moment before the block can become the head: all frames are written here, in one piece.
func (m *maidenlane) onStateUpdate(update *tracing.StateUpdate) {
	defer m.enter("OnStateUpdate")()
	if update.BlockNumber == 0 {
		return // the genesis commit, told by onGenesisBlock
	}
	at := slices.IndexFunc(m.runs, func(run *run) bool {
		return run.block.Root() == update.Root && run.block.NumberU64() == update.BlockNumber && !slices.Contains(run.receipts, nil)
	})
	if at < 0 {
		log.Error("Maidenlane hook knows no block of a state, it is missing from the spool", "number", update.BlockNumber)
		m.put(frame(kindHole, []byte{}, update.BlockNumber, "a state of no block that is executed"), uint64(time.Now().Unix()))
		return
	}
	block, receipts := m.runs[at].block, m.runs[at].receipts
	hash, number := block.Hash(), block.NumberU64()
	if m.panicAt == strconv.FormatUint(number, 10) {
		panic("asked for by " + panicEnv)
	}
	hashed := !m.chain.IsCancun(block.Number(), block.Time())
	signer, senders := types.MakeSigner(m.chain, block.Number(), block.Time()), []common.Address{}
	for _, tx := range block.Transactions() {
		from, _ := types.Sender(signer, tx) // no work and no error: geth keeps it with what it has executed
		senders = append(senders, from)
	}
	out := bytes.NewBuffer(make([]byte, 0, m.usual))
	addFrame(out, kindBlock, hash, block, senders)
	addFrame(out, kindReceipts, hash, receipts)
	addFrame(out, kindState, hash, number, update.OriginRoot, update.Root, hashed,
		accountRows(update), storageRows(update), codeRows(update))
	if m.conf.Trie {
		addFrame(out, kindTrie, hash, trieRows(update))
	}
	addFrame(out, kindEnd, hash, block.ParentHash(), number)
	m.usual, m.runs = out.Len()+out.Len()/8, slices.Delete(m.runs, at, at+1)
	m.put(out.Bytes(), block.Time())
}

// onBlockEnd marks invalid blocks. During sync geth announces the head before it runs, so nothing else waits for it. Of
// several executions it does not say which has failed.
func (m *maidenlane) onBlockEnd(err error) {
	defer m.enter("OnBlockEnd")()
	if err == nil || len(m.runs) != 1 {
		return
	}
	block := m.runs[0].block
	m.runs = nil
	m.put(frame(kindFailed, block.Hash(), block.NumberU64(), err.Error()), block.Time())
}

func (m *maidenlane) onClose() {
	defer m.enter("OnClose")()
	for tries := 0; tries == 0 || tries < 3 && len(m.queue) > 0; tries++ {
		m.flush(true) // what a failed fsync put in doubt goes to another segment
	}
	if len(m.queue) > 0 {
		log.Error("Maidenlane hook closes with frames that the disk refused", "bytes", m.held)
		m.queue, m.inFile, m.hole = nil, 0, "geth stopped while the spool took no frames"
		m.closing = true // a HOLE is small: it may use the reserve
		m.flush(true)
	}
	_ = m.file.Close() // nil refuses
}

// put queues one group of frames and writes what the disk takes.
func (m *maidenlane) put(group []byte, blockTime uint64) {
	m.queue = append(m.queue, group)
	m.held += len(group)
	m.flush(time.Since(time.Unix(int64(blockTime), 0)) < nearHead)
	if m.held <= m.conf.MemoryMax || m.inFile == len(m.queue) {
		return
	}
	if m.conf.OnFull == "StopGeth" {
		// Not a clean stop: that would journal the state of blocks which then are never executed again.
		m.crash("Maidenlane spool takes no frames and onFull is StopGeth", "spool", m.conf.Spool, "bytes", m.held)
	}
	log.Error("Maidenlane spool takes no frames, blocks are lost to replicas", "spool", m.conf.Spool, "bytes", m.held)
	m.queue, m.inFile, m.held, m.hole = nil, 0, 0, "frames were dropped: the spool took none and memory was full"
}

// flush writes what is queued, in order, and syncs when it is due. What fails is tried again with the next block.
func (m *maidenlane) flush(syncNow bool) {
	if m.hole != "" {
		hole := frame(kindHole, []byte{}, uint64(0), m.hole)
		m.queue, m.hole = slices.Insert(m.queue, m.inFile, hole), ""
		m.held += len(hole)
	}
	for m.inFile < len(m.queue) {
		if err := m.write(m.queue[m.inFile]); err != nil {
			log.Warn("Maidenlane spool refuses a write, frames stay in memory", "err", err, "bytes", m.held)
			return
		}
		m.inFile++
	}
	if syncNow || m.inFile >= syncGroups || m.held >= syncBytes || time.Since(m.synced) > syncAfter {
		m.sync()
	}
}

// sync makes everything in the file safe. After a failure the kernel may have dropped the pages, and a second fsync
// would claim success: only writing all of it again, to a new segment, can be trusted.
func (m *maidenlane) sync() {
	if m.inFile == 0 {
		return
	}
	if err := m.fsync(int(m.file.Fd())); err != nil {
		log.Error("Maidenlane spool cannot be synced, frames stay in memory", "err", err, "bytes", m.held)
		m.abandon()
		return
	}
	for _, group := range m.queue[:m.inFile] {
		m.held -= len(group)
	}
	m.queue, m.inFile, m.synced = slices.Delete(m.queue, 0, m.inFile), 0, time.Now()
}

// abandon leaves a file that cannot be trusted: what it holds unsynced goes to the next segment once more.
func (m *maidenlane) abandon() {
	_ = m.file.Close()
	m.file, m.inFile = nil, 0
}

// write appends one group to the current segment, or opens the next one. A group is never split.
func (m *maidenlane) write(group []byte) error {
	if err := m.room(uint64(len(group))); err != nil {
		return err
	}
	if m.file != nil && m.size >= m.conf.Segment {
		if m.sync(); m.inFile > 0 || m.file == nil {
			return errors.New("the full segment could not be synced")
		}
		m.abandon()
	}
	if m.file == nil {
		if err := m.open(); err != nil {
			return err
		}
	}
	if n, err := m.file.Write(group); err != nil {
		// Take the torn group back; if even that fails, go on in a new segment: at a segment's end a tear is allowed.
		if n > 0 && m.file.Truncate(int64(m.size)) != nil {
			m.abandon()
		}
		return err
	}
	// The disk begins now, while geth goes on (2 = SYNC_FILE_RANGE_WRITE, a hint): a sync then finds little left to do.
	_ = syscall.SyncFileRange(int(m.file.Fd()), int64(m.size), int64(len(group)), 2)
	m.size, m.total = m.size+uint64(len(group)), m.total+uint64(len(group))
	return nil
}

// open starts the next segment with an INIT frame.
func (m *maidenlane) open() error {
	if err := m.look(); err != nil {
		return err
	}
	chain, err := json.Marshal(m.chain)
	if err != nil {
		return err
	}
	start := frame(kindInit, chain, version.ClientName("Geth"))
	path := filepath.Join(m.conf.Spool, fmt.Sprintf("%020d%s", m.number+1, fileEnd))
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	dir, err := os.Open(m.conf.Spool)
	if err == nil {
		_, err = file.Write(start)
		err = errors.Join(err, dir.Sync(), dir.Close())
	}
	if err != nil {
		return errors.Join(err, file.Close(), os.Remove(path))
	}
	m.file, m.number, m.size = file, m.number+1, uint64(len(start))
	return nil
}

// room refuses a write before the disk, or the spool's share of it, is full.
func (m *maidenlane) room(bytes uint64) error {
	if m.closing {
		return nil
	}
	var stat syscall.Statfs_t
	if err := syscall.Statfs(m.conf.Spool, &stat); err != nil {
		return err
	}
	if free := stat.Bavail * uint64(stat.Bsize); free < m.conf.MinFree+bytes {
		return fmt.Errorf("%d MB are free, minFree_MB is %d", free>>20, m.conf.MinFree>>20)
	}
	if m.total > 0 && m.total+bytes <= m.conf.MaxSpool {
		return nil
	}
	err := m.look() // the tap deletes segments behind our back
	if err == nil && m.total+bytes > m.conf.MaxSpool {
		err = fmt.Errorf("the spool holds %d MB, maxSpool_MB is %d", m.total>>20, m.conf.MaxSpool>>20)
	}
	return err
}

// look finds how much the spool holds and the newest segment's number.
func (m *maidenlane) look() error {
	entries, err := os.ReadDir(m.conf.Spool)
	m.total = 0
	for _, entry := range entries {
		name, ours := strings.CutSuffix(entry.Name(), fileEnd)
		if info, err := entry.Info(); ours && err == nil {
			m.total += uint64(info.Size())
		}
		if number, err := strconv.ParseUint(name, 10, 64); ours && err == nil {
			m.number = max(m.number, number)
		}
	}
	return err
}

func frame(kind byte, fields ...any) []byte {
	out := new(bytes.Buffer)
	addFrame(out, kind, fields...)
	return out.Bytes()
}

// addFrame wraps the RLP list of its fields: length, checksum, version, kind.
func addFrame(out *bytes.Buffer, kind byte, fields ...any) {
	start := out.Len()
	out.Write([]byte{0, 0, 0, 0, 0, 0, 0, 0, versions[kind], kind})
	if err := rlp.Encode(out, fields); err != nil {
		panic(err)
	}
	whole := out.Bytes()[start:]
	binary.LittleEndian.PutUint32(whole, uint32(len(whole)-8))
	binary.LittleEndian.PutUint32(whole[4:], crc32.Checksum(whole[8:], castagnoli))
}

// changes lists the rows [key, before, after] of a map in the order of its keys, without those that changed nothing.
func changes[K comparable, V any, B ~[]byte](from map[K]V, compare func(a, b K) int, images func(V) (B, B)) (rows []any) {
	for _, key := range sorted(from, compare) {
		if prev, next := images(from[key]); !bytes.Equal(prev, next) {
			rows = append(rows, []any{key, prev, next})
		}
	}
	return rows
}

// groups does the same one level up: rows [key, inner rows].
func groups[K comparable, V any](from map[K]V, compare func(a, b K) int, inner func(V) []any) (rows []any) {
	for _, key := range sorted(from, compare) {
		if found := inner(from[key]); len(found) > 0 {
			rows = append(rows, []any{key, found})
		}
	}
	return rows
}

func accountRows(update *tracing.StateUpdate) []any {
	images := func(c *tracing.AccountChange) ([]byte, []byte) { return slim(c.Prev), slim(c.New) }
	return changes(update.AccountChanges, common.Address.Cmp, images)
}

func storageRows(update *tracing.StateUpdate) []any {
	images := func(c *tracing.StorageChange) ([]byte, []byte) { return trimmed(c.Prev), trimmed(c.New) }
	slots := func(all map[common.Hash]*tracing.StorageChange) []any { return changes(all, common.Hash.Cmp, images) }
	return groups(update.StorageChanges, common.Address.Cmp, slots)
}

func codeRows(update *tracing.StateUpdate) []any {
	images := func(c *tracing.CodeChange) (rlp.RawValue, rlp.RawValue) { return code(c.Prev), code(c.New) }
	return changes(update.CodeChanges, common.Address.Cmp, images)
}

func trieRows(update *tracing.StateUpdate) []any {
	images := func(c *tracing.TrieNodeChange) ([]byte, []byte) { return blob(c.Prev), blob(c.New) }
	nodes := func(all map[string]*tracing.TrieNodeChange) []any { return changes(all, strings.Compare, images) }
	return groups(update.TrieChanges, common.Hash.Cmp, nodes)
}

func slim(account *types.StateAccount) []byte {
	if account == nil {
		return nil
	}
	return types.SlimAccountRLP(*account)
}

func code(code *tracing.ContractCode) rlp.RawValue {
	if code == nil || len(code.Code) == 0 {
		return rlp.EmptyList
	}
	list, _ := rlp.EncodeToBytes([][]byte{code.Hash[:], code.Code}) // cannot fail: plain bytes
	return list
}

func blob(node *trienode.Node) []byte {
	if node == nil {
		return nil
	}
	return node.Blob
}

func trimmed(value common.Hash) []byte { return common.TrimLeftZeroes(value[:]) }

func sorted[K comparable, V any](rows map[K]V, compare func(a, b K) int) []K {
	return slices.SortedFunc(maps.Keys(rows), compare)
}
