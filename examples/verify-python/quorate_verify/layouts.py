"""The structures that a verifier needs, word for word as docs/formats.md has them.

To add a structure, copy its block from docs/formats.md: `LAYOUTS['Name']` then reads and writes it.
"""

from .notation import read_layouts

LAYOUTS = read_layouts('''
Call = {
  module: text<1..32>
  action: text<1..32>
  args: blob<0..16384>
}

TransactionBody = {
  sender: bytes32            # Ed25519 public key
  nonce: bytes8
  validUntil: u64            # block time in ms
  calls: list<Call, 1..256>  # all or nothing, in order
  memo: blob<0..256>
}

Batch = {
  height: u64
  timestamp: u64                        # the leader's clock in ms
  transactions: list<bytes32, 0..4096>  # ids
}

Header = {
  height: u64
  parent: bytes32            # hash of the block below
  timestamp: u64             # block time in ms
  transactionsRoot: bytes32
  receiptsRoot: bytes32
  count: u32
}

Event = {
  module: text<1..32>
  name: text<1..32>
  data: blob<0..16384>
}

Receipt = {
  id: bytes32
  status: tag<0 ok | 1 failed>
  code: text<0..64>
  events: list<Event, 0..512>
}

StateProof = {
  depth: u32
  bitmap: blob<0..32>
  siblings: list<bytes32, 0..256>
  end: union<0 self: {} | 1 other: {
    path: bytes32
    valueHash: bytes32
  }>
}

Validator = {
  name: text<1..32>
  organisation: text<1..32>
  key: bytes32               # consensus key
  peerKey: bytes32           # libp2p identity
}

ValidatorSet = list<Validator, 1..128>

MultiSignature = {
  signers: blob<0..16>               # bitmap
  signatures: list<bytes64, 0..128>
}

Checkpoint = {
  epoch: u64
  validatorsHash: bytes32      # of the set that signs
  height: u64
  blockHash: bytes32
  stateRoot: bytes32           # after this block
  historyRoot: bytes32         # over the hashes of blocks 0 to height
  timestamp: u64               # block time of this block
  nextEpoch: u64
  nextValidatorsHash: bytes32  # of the set that signs the next block
}

Certificate = {
  scheme: tag<1 ed25519-list>
  checkpoint: Checkpoint
  proof: MultiSignature
}

Handoff = {
  certificate: Certificate
  next: ValidatorSet
}

Updates = {
  handoffs: list<Handoff, 0..64>
}

Bundle = {
  format: tag<1 quorate-proof-1>
  genesisId: bytes32
  handoffs: list<Handoff, 0..4096>
  certificate: Certificate
  fact: union<1 transaction: TransactionFact | 2 block: BlockFact | 3 state: StateFact>
}

TransactionFact = {
  header: Header
  historyProof: list<bytes32, 0..53>
  index: u32                              # among the transactions with a receipt
  transaction: blob<0..65536>             # body and signature
  transactionProof: list<bytes32, 0..53>
  receipt: Receipt
  receiptProof: list<bytes32, 0..53>
}

BlockFact = {
  header: Header
  historyProof: list<bytes32, 0..53>
}

StateFact = {
  table: text<3..65>
  key: blob<0..256>
  value: union<0 absent: {} | 1 present: blob<0..65536>>
  proof: StateProof
}

GenesisFile = {
  quorate: tag<1 genesis/1>
  chain: text<1..32>
  time: u64
  organisations: list<{
    name: text<1..32>
    administrators: list<bytes32, 1..64>
    threshold: u8
    roles: list<text<1..32>, 0..16>
  }, 1..1024>
  validators: list<{
    name: text<1..32>
    organisation: text<1..32>
    key: bytes32
    peerKey: bytes32
    possession: bytes64
    addresses: list<text<1..256>, 0..8>
  }, 1..128>
  accounts: list<{
    name: text<1..32>
    organisation: text<1..32>
    key: bytes32
    roles: list<text<1..32>, 0..16>
  }, 0..8192>
  parameters: Parameters
}

Reply = {
  id: bytes32
  status: tag<1 committed | 2 final | 3 rejected | 4 expired>
  epoch: u64                                                  # the signer's
  height: u64
  blockHash: bytes32
  receipt: union<0 none: {} | 1 receipt: Receipt>
}

SignedReply = {
  reply: Reply
  sender: u16
  signature: bytes64
}

ForkEvidence = {
  format: tag<1 quorate-fork-1>
  genesisId: bytes32
  handoffs: list<Handoff, 0..4096>
  first: Certificate
  second: Certificate
  conflict: union<0 sameHeight: {} | 1 afterEnd: {} | 2 otherHistory: {
    blockHash: bytes32
    historyProof: list<bytes32, 0..53>
  }>
}

Parameters = {
  protocolVersion: u16
  application: text<1..32>
  applicationVersion: u16
  window: u16
  batchTransactionsMax: u32
  batchBytesMax: u32
  batchDelayMs: u32
  transactionBytesMax: u32
  callsMax: u16
  maxLifetimeMs: u64
  heartbeatMs: u64
  viewTimeoutMs: u64
  maxAheadMs: u64
  maxBehindMs: u64
  leaderTerm: u32
  inclusionTimeoutMs: u64
  readsMax: u32
  writesMax: u32
  stateBytesMax: u32
}

Change = union<
  1 enrol: {
    key: bytes32
    name: text<1..32>
    roles: list<text<1..32>, 0..16>
  }
  | 2 grant: {
    account: bytes32
    roles: list<text<1..32>, 1..16>
  }
  | 3 withdraw: {
    account: bytes32
    roles: list<text<1..32>, 1..16>
  }
  | 4 revoke: {
    account: bytes32
  }
  | 5 rotate: {
    account: bytes32
    key: bytes32
  }
  | 6 administrators: {
    administrators: list<bytes32, 1..64>
    threshold: u8
  }
>

Proposal = {
  organisation: text<1..32>
  nonce: bytes8
  expires: u64               # block time in ms
  change: Change
}

Approval = {
  administrator: bytes32
  time: u64               # block time in ms
}

members.organisations = {
  administrators: list<bytes32, 1..64>
  threshold: u8                         # how many of them act for it
  roles: list<text<1..32>, 0..16>       # what it may give
  changes: u64                          # that took effect, ever
}

members.accounts = {
  id: bytes32                      # the first key of the account
  name: text<1..32>
  organisation: text<1..32>
  roles: list<text<1..32>, 0..16>
  active: bool                     # whether this key may sign
}

members.administrators = {
  organisation: text<1..32>
  open: list<bytes32, 0..32>  # proposals that it has approved and that are not effective
}

members.names = {
  account: bytes32  # id of the account that has the name, for ever
}

members.keys = {
  key: bytes32  # that the account signs with now; no row if it is the first one
}

members.proposals = union<
  1 open: {
    proposal: Proposal
    approvals: list<Approval, 1..64>
  }
  | 2 effective: {
    organisation: text<1..32>
    number: u64
  }
>

members.history = {
  proposal: Proposal
  approvals: list<Approval, 1..64>  # with the last one it took effect
}

governance.parameters = Parameters

governance.validators = ValidatorSet

assets.definitions = {
  owner: bytes32
  supply: u128
}

assets.balances = {
  amount: u128
}

records.entries = {
  digest: bytes32
  owner: bytes32
  registered: u64
  note: text<0..512>
  revoked: u64
}

members.approve = Proposal

members.retract = {
  proposal: bytes32
}

assets.issue = {
  asset: text<1..32>
  to: bytes32
  amount: u128
}

assets.transfer = {
  asset: text<1..32>
  to: bytes32
  amount: u128
}

records.register = {
  key: text<1..200>
  digest: bytes32
  note: text<0..512>
}

records.revoke = {
  key: text<1..200>
}

event members.approved = {
  organisation: text<1..32>
  proposal: bytes32
  by: bytes32
  approvals: u8              # there are now
  threshold: u8
}

event members.retracted = {
  organisation: text<1..32>
  proposal: bytes32
  by: bytes32
}

event members.changed = {
  organisation: text<1..32>
  number: u64
  proposal: bytes32
  change: Change
}

event assets.issued = {
  asset: text<1..32>
  by: bytes32
  to: bytes32
  amount: u128
}

event assets.transferred = {
  asset: text<1..32>
  from: bytes32
  to: bytes32
  amount: u128
}

event records.registered = {
  key: text<1..200>
  digest: bytes32
  owner: bytes32
}

event records.revoked = {
  key: text<1..200>
  owner: bytes32
}
''')
