// Package live holds the Maidenlane hook, a live tracer that writes every executed block's state changes to a spool.
//
// It is the only code of Maidenlane inside the master, so it is boring: it writes frames to local files and does
// nothing else. Copied to eth/tracers/live/maidenlane.go of stock go-ethereum and enabled with
//
//	--vmtrace maidenlane --vmtrace.jsonconfig '{"spool":"/var/lib/maidenlane/spool"}'
//
// The frames are described in daemons/lib/wire/FORMAT.md. Hooks run under geth's chain mutex: no network, no queue,
// no goroutine. A panic in here would be swallowed by geth's RPC server and lose a block unseen, so every hook
// recovers and marks a HOLE.
package live

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
)

func init() {
	tracers.LiveDirectory.Register("maidenlane", newMaidenlane)
}

const (
	frameVersion = 1

	kindInit     = 1
	kindGenesis  = 2
	kindBlock    = 3
	kindReceipts = 4
	kindState    = 5
	kindTrie     = 6
	kindEnd      = 7
	kindFailed   = 8
	kindHole     = 9

	memoryMax = 64 << 20         // frames kept while the disk refuses them
	nearHead  = 60 * time.Second // younger blocks are synced one by one
	syncEvery = 32               // older blocks are synced in groups of this many …
	syncAfter = time.Second      // … or after this long
	fileEnd   = ".spool"
	failPanic = "MAIDENLANE_HOOK_PANIC" // test only: panic at this block number
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type hookConfig struct {
	Spool     string `json:"spool"`        // directory of segment files
	MaxSpool  uint64 `json:"maxSpool_MB"`  // stop writing when the spool is this large; 0 = 65,536
	MinFree   uint64 `json:"minFree_MB"`   // stop writing when the disk has less; 0 = 1,024
	Segment   uint64 `json:"segment_MB"`   // a segment is closed at this size; 0 = 64
	Trie      bool   `json:"trie"`         // also write trie nodes
	OnFull    string `json:"onFull"`       // "Hole" (default) or "StopGeth" when memory overflows
	MemoryMax int    `json:"memoryMax_MB"` // frames kept while the disk refuses them; 0 = 64
}

// maidenlane holds what one process needs. All hooks run on the goroutine that holds geth's chain mutex.
type maidenlane struct {
	conf     hookConfig
	chain    *params.ChainConfig
	block    *types.Block // between OnBlockStart and OnBlockEnd
	receipts types.Receipts
	written  bool // OnStateUpdate has spooled the current block

	file     *os.File
	fileNum  uint64
	fileSize uint64
	total    uint64   // bytes of all segments, as of the last look
	pending  [][]byte // groups of frames that the disk has refused so far
	held     int      // bytes in pending
	hole     bool     // frames were dropped: a HOLE is due before the next one
	unsynced int
	synced   time.Time
	panicAt  string
}

func newMaidenlane(raw json.RawMessage) (*tracing.Hooks, error) {
	m := &maidenlane{panicAt: os.Getenv(failPanic)}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m.conf); err != nil {
		return nil, fmt.Errorf("maidenlane: --vmtrace.jsonconfig: %w", err)
	}
	if m.conf.Spool == "" {
		return nil, errors.New(`maidenlane: --vmtrace.jsonconfig needs "spool", a directory`)
	}
	if m.conf.OnFull == "" {
		m.conf.OnFull = "Hole"
	}
	if m.conf.OnFull != "Hole" && m.conf.OnFull != "StopGeth" {
		return nil, fmt.Errorf(`maidenlane: onFull is %q, expected "Hole" or "StopGeth"`, m.conf.OnFull)
	}
	m.conf.MaxSpool = or(m.conf.MaxSpool, 65536) << 20
	m.conf.MinFree = or(m.conf.MinFree, 1024) << 20
	m.conf.Segment = or(m.conf.Segment, 64) << 20
	if m.conf.MemoryMax <<= 20; m.conf.MemoryMax == 0 {
		m.conf.MemoryMax = memoryMax
	}
	if err := os.MkdirAll(m.conf.Spool, 0o750); err != nil {
		return nil, fmt.Errorf("maidenlane: create spool: %w", err)
	}
	return &tracing.Hooks{
		OnBlockchainInit: m.onBlockchainInit,
		OnGenesisBlock:   m.onGenesisBlock,
		OnBlockStart:     m.onBlockStart,
		OnTxEnd:          m.onTxEnd,
		OnStateUpdate:    m.onStateUpdate,
		OnBlockEnd:       m.onBlockEnd,
		OnClose:          m.onClose,
	}, nil
}

func or(value, fallback uint64) uint64 {
	if value == 0 {
		return fallback
	}
	return value
}

// guard turns a panic of a hook into a HOLE.
func (m *maidenlane) guard(where string) {
	if r := recover(); r != nil {
		log.Error("Maidenlane hook panicked, the block is missing from the spool", "hook", where, "panic", r)
		m.putHole(fmt.Sprintf("panic in %s: %v", where, r))
	}
}

func (m *maidenlane) onBlockchainInit(chain *params.ChainConfig) {
	defer m.guard("OnBlockchainInit")
	m.chain = chain
	m.synced = time.Now()
}

func (m *maidenlane) onGenesisBlock(genesis *types.Block, alloc types.GenesisAlloc) {
	defer m.guard("OnGenesisBlock")
	type slot struct {
		Key   common.Hash
		Value []byte
	}
	type account struct {
		Address common.Address
		Nonce   uint64
		Balance []byte
		Code    []byte
		Storage []slot
	}
	var accounts []account
	for _, address := range sorted(alloc, common.Address.Cmp) {
		from := alloc[address]
		to := account{Address: address, Nonce: from.Nonce, Code: from.Code}
		if from.Balance != nil {
			to.Balance = from.Balance.Bytes()
		}
		for _, key := range sorted(from.Storage, common.Hash.Cmp) {
			to.Storage = append(to.Storage, slot{key, trimmed(from.Storage[key])})
		}
		accounts = append(accounts, to)
	}
	m.put(frame(kindGenesis, []any{genesis, accounts}), genesis.Time())
}

func (m *maidenlane) onBlockStart(event tracing.BlockEvent) {
	defer m.guard("OnBlockStart")
	m.block, m.receipts, m.written = event.Block, nil, false
}

func (m *maidenlane) onTxEnd(receipt *types.Receipt, err error) {
	defer m.guard("OnTxEnd")
	if err == nil && receipt != nil && m.block != nil {
		m.receipts = append(m.receipts, receipt)
	}
}

// onStateUpdate is the last moment before the block can become the head: all frames are written here, in one piece.
func (m *maidenlane) onStateUpdate(update *tracing.StateUpdate) {
	defer m.guard("OnStateUpdate")
	if m.block == nil {
		return // the genesis commit, told by onGenesisBlock
	}
	if m.panicAt != "" && m.panicAt == m.block.Number().String() {
		panic("asked for by " + failPanic)
	}
	hash, number := m.block.Hash(), m.block.NumberU64()
	hashed := !m.chain.IsCancun(m.block.Number(), m.block.Time())
	receipts := m.receipts
	if receipts == nil {
		receipts = types.Receipts{}
	}
	frames := frame(kindBlock, []any{hash, m.block})
	frames = append(frames, frame(kindReceipts, []any{hash, receipts})...)
	frames = append(frames, frame(kindState, stateRows(hash, number, hashed, update))...)
	if m.conf.Trie {
		frames = append(frames, frame(kindTrie, []any{hash, trieNodes(update)})...)
	}
	frames = append(frames, frame(kindEnd, []any{hash, m.block.ParentHash(), number})...)
	m.written = true
	m.put(frames, m.block.Time())
}

// onBlockEnd marks invalid blocks. During sync geth announces the head before it runs, so nothing else waits for it.
func (m *maidenlane) onBlockEnd(err error) {
	defer m.guard("OnBlockEnd")
	if err != nil && m.block != nil && !m.written {
		m.put(frame(kindFailed, []any{m.block.Hash(), m.block.NumberU64(), err.Error()}), m.block.Time())
	}
	m.block, m.receipts = nil, nil
}

func (m *maidenlane) onClose() {
	defer m.guard("OnClose")
	m.flush(true)
	if len(m.pending) > 0 || m.hole {
		log.Error("Maidenlane hook closes with frames that the disk refused", "bytes", m.held)
	}
	if m.file != nil {
		m.sync()
		_ = m.file.Close()
	}
}

// put queues one group of frames and writes what the disk takes.
func (m *maidenlane) put(frames []byte, blockTime uint64) {
	m.pending = append(m.pending, frames)
	m.held += len(frames)
	m.flush(time.Since(time.Unix(int64(blockTime), 0)) < nearHead)
	if m.held <= m.conf.MemoryMax {
		return
	}
	if m.conf.OnFull == "StopGeth" {
		log.Crit("Maidenlane spool takes no more frames and onFull is StopGeth", "spool", m.conf.Spool)
	}
	log.Error("Maidenlane spool takes no more frames, blocks are lost to replicas", "spool", m.conf.Spool, "bytes", m.held)
	m.pending, m.held, m.hole = nil, 0, true
}

func (m *maidenlane) putHole(reason string) {
	defer func() { _ = recover() }()
	var hash []byte
	var number uint64
	if m.block != nil {
		hash, number = m.block.Hash().Bytes(), m.block.NumberU64()
	}
	m.put(frame(kindHole, []any{hash, number, reason}), uint64(time.Now().Unix()))
}

// flush writes pending groups in order. What fails stays in memory and is tried again with the next block.
func (m *maidenlane) flush(syncNow bool) {
	if m.hole {
		m.pending = slices.Insert(m.pending, 0, frame(kindHole, []any{[]byte{}, uint64(0), "frames were dropped: the spool was full"}))
		m.hole = false
	}
	for len(m.pending) > 0 {
		if err := m.write(m.pending[0]); err != nil {
			log.Warn("Maidenlane spool refuses a write, frames stay in memory", "err", err, "bytes", m.held)
			return
		}
		m.held = max(0, m.held-len(m.pending[0]))
		m.pending = m.pending[1:]
		m.unsynced++
	}
	if m.unsynced > 0 && (syncNow || m.unsynced >= syncEvery || time.Since(m.synced) > syncAfter) {
		m.sync()
	}
}

func (m *maidenlane) sync() {
	if m.file == nil {
		return
	}
	if err := syscall.Fdatasync(int(m.file.Fd())); err != nil {
		// After a failed sync the kernel may have dropped the pages: only a new file is trustworthy.
		log.Error("Maidenlane spool cannot be synced", "err", err)
		_ = m.file.Close()
		m.file = nil
		m.putHole("fdatasync failed: " + err.Error())
		return
	}
	m.unsynced, m.synced = 0, time.Now()
}

// write appends one group to the current segment, or opens the next one. A group is never split.
func (m *maidenlane) write(group []byte) error {
	if m.file != nil && m.fileSize >= m.conf.Segment {
		m.sync()
		if m.file != nil {
			_ = m.file.Close()
			m.file = nil
		}
	}
	if m.file == nil {
		if err := m.open(); err != nil {
			return err
		}
	}
	if err := m.room(uint64(len(group))); err != nil {
		return err
	}
	if n, err := m.file.Write(group); err != nil {
		// Take the torn group back; if even that fails, go on in a new segment, where a torn tail is allowed.
		if n > 0 && m.file.Truncate(int64(m.fileSize)) != nil {
			_ = m.file.Close()
			m.file = nil
		}
		return err
	}
	m.fileSize += uint64(len(group))
	m.total += uint64(len(group))
	return nil
}

// open starts the next segment with an INIT frame.
func (m *maidenlane) open() error {
	entries, err := os.ReadDir(m.conf.Spool)
	if err != nil {
		return err
	}
	next := m.fileNum
	for _, entry := range entries {
		var number uint64
		if _, err := fmt.Sscanf(strings.TrimSuffix(entry.Name(), fileEnd), "%020d", &number); err == nil {
			next = max(next, number)
		}
	}
	chain, err := json.Marshal(m.chain)
	if err != nil {
		return err
	}
	start := frame(kindInit, []any{chain, version.ClientName("Geth")})
	m.fileNum = next + 1
	path := filepath.Join(m.conf.Spool, fmt.Sprintf("%020d%s", m.fileNum, fileEnd))
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	if _, err := file.Write(start); err != nil {
		_ = file.Close()
		_ = os.Remove(path)
		return err
	}
	if dir, err := os.Open(m.conf.Spool); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
	m.file, m.fileSize = file, uint64(len(start))
	return nil
}

// room refuses a write before the disk or the spool's share of it is full.
func (m *maidenlane) room(bytes uint64) error {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(m.conf.Spool, &stat); err != nil {
		return err
	}
	if free := stat.Bavail * uint64(stat.Bsize); free < m.conf.MinFree+bytes {
		return fmt.Errorf("only %d MB are free, minFree_MB is %d", free>>20, m.conf.MinFree>>20)
	}
	if m.total == 0 || m.total+bytes > m.conf.MaxSpool {
		m.total = 0 // the tap deletes segments behind our back: look again
		entries, err := os.ReadDir(m.conf.Spool)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if info, err := entry.Info(); err == nil && strings.HasSuffix(entry.Name(), fileEnd) {
				m.total += uint64(info.Size())
			}
		}
	}
	if m.total+bytes > m.conf.MaxSpool {
		return fmt.Errorf("the spool holds %d MB, maxSpool_MB is %d", m.total>>20, m.conf.MaxSpool>>20)
	}
	return nil
}

// frame wraps the RLP of a payload: length, checksum, version, kind.
func frame(kind byte, payload []any) []byte {
	encoded, err := rlp.EncodeToBytes(payload)
	if err != nil {
		panic(err)
	}
	out := make([]byte, 10+len(encoded))
	out[8], out[9] = frameVersion, kind
	copy(out[10:], encoded)
	binary.LittleEndian.PutUint32(out, uint32(2+len(encoded)))
	binary.LittleEndian.PutUint32(out[4:], crc32.Checksum(out[8:], castagnoli))
	return out
}

func stateRows(hash common.Hash, number uint64, hashed bool, update *tracing.StateUpdate) []any {
	var accounts, storage, codes []any
	for _, address := range sorted(update.AccountChanges, common.Address.Cmp) {
		change := update.AccountChanges[address]
		if prev, next := slim(change.Prev), slim(change.New); !bytes.Equal(prev, next) {
			accounts = append(accounts, []any{address, prev, next})
		}
	}
	for _, address := range sorted(update.StorageChanges, common.Address.Cmp) {
		var slots []any
		for _, key := range sorted(update.StorageChanges[address], common.Hash.Cmp) {
			if change := update.StorageChanges[address][key]; change.Prev != change.New {
				slots = append(slots, []any{key, trimmed(change.Prev), trimmed(change.New)})
			}
		}
		if len(slots) > 0 {
			storage = append(storage, []any{address, slots})
		}
	}
	for _, address := range sorted(update.CodeChanges, common.Address.Cmp) {
		change := update.CodeChanges[address]
		codes = append(codes, []any{address, code(change.Prev), code(change.New)})
	}
	return []any{hash, number, update.OriginRoot, update.Root, hashed, list(accounts), list(storage), list(codes)}
}

func trieNodes(update *tracing.StateUpdate) []any {
	var owners []any
	for _, owner := range sorted(update.TrieChanges, common.Hash.Cmp) {
		var nodes []any
		for _, path := range sorted(update.TrieChanges[owner], strings.Compare) {
			change := update.TrieChanges[owner][path]
			var prev, next []byte
			if change.Prev != nil {
				prev = change.Prev.Blob
			}
			if change.New != nil {
				next = change.New.Blob
			}
			nodes = append(nodes, []any{[]byte(path), prev, next})
		}
		owners = append(owners, []any{owner, list(nodes)})
	}
	return list(owners)
}

// list keeps an empty list an empty list: RLP of a nil slice of any would do as well, but not say so.
func list(items []any) []any {
	if items == nil {
		return []any{}
	}
	return items
}

func slim(account *types.StateAccount) []byte {
	if account == nil {
		return []byte{}
	}
	return types.SlimAccountRLP(*account)
}

func code(code *tracing.ContractCode) []any {
	if code == nil || len(code.Code) == 0 {
		return []any{}
	}
	return []any{code.Hash, code.Code}
}

func trimmed(value common.Hash) []byte {
	return common.TrimLeftZeroes(value[:])
}

func sorted[K comparable, V any](from map[K]V, compare func(a, b K) int) []K {
	keys := make([]K, 0, len(from))
	for key := range from {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, compare)
	return keys
}
