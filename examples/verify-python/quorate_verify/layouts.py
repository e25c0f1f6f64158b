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
  scheme: tag<1 ed25519-list | 2 recovery>
  checkpoint: Checkpoint
  proof: MultiSignature
}

Handoff = {
  certificate: Certificate
  next: ValidatorSet
  recovery: blob<0..1048576>  # an encoded Recovery, or nothing
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
  recovery: u8              # of 100 organisations that must sign a recovery, 67 to 100; 0: none is possible
  parameters: Parameters
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
  readyWindow: u32
  readsMax: u32
  writesMax: u32
  stateBytesMax: u32
}

members.organisations = {
  administrators: list<bytes32, 1..64>
  threshold: u8                         # how many of them act for it
  roles: list<text<1..32>, 0..16>       # what it may give
  changes: u64                          # that took effect, ever
}

members.expelled = {
  number: u64  # in governance.history
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
  open: list<bytes32, 0..32>   # proposals of its organisation that it has approved and that are not effective
  votes: list<bytes32, 0..32>  # those of governance that it has approved and that are neither passed nor effective
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

governance.epoch = {
  number: u64
  firstHeight: u64
  idHorizonMs: u64     # the longest lifetime that was in force within its own length; 0 if none
  idHorizonUntil: u64  # block time up to which it counts
  idHorizonMaxMs: u64  # the longest lifetime that was ever in force
}

governance.parameters = Parameters

governance.validators = ValidatorSet

governance.summary = {
  organisations: u16           # that are not expelled
  changes: u64                 # that took effect, ever
  guests: list<bytes32, 0..64> # keys of governance.guests
}

governance.keys = {
  from: u64     # the first epoch in whose set it is
  until: u64    # the first epoch without it; 0 while it is a member
  changed: u64  # block time of its newest change; 0 for genesis
}

governance.guests = {
  name: text<1..32>
  organisation: text<1..32>
  kind: tag<1 observer | 2 candidate>
  until: u64                           # block time up to which it is one; 0: without an end
}

governance.limits = {
  pending: u32    # transactions of an account with this role that one node holds
  perSecond: u32  # that one node admits in the long run
  burst: u32      # and at once
}

governance.proposals = union<
  1 open: {
    proposal: GovernanceProposal
    approvals: list<GovernanceApproval, 1..768>
  }
  | 2 passed: {
    proposal: GovernanceProposal
    approvals: list<GovernanceApproval, 1..768>
  }
  | 3 effective: {
    number: u64
  }
>

governance.history = {
  proposal: GovernanceProposal
  approvals: list<GovernanceApproval, 1..768>
  height: u64  # of the block in which it took effect
  time: u64    # of that block
  by: bytes32  # the administrator who sent the transaction that made it so
}

governance.recoveries = {
  height: u64           # of the empty block
  time: u64             # of that block
  reason: text<1..512>
}

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

GovernanceChange = union<
  1 parameters: Parameters  # all of them, as they will be
  | 2 validators: {
    add: list<Validator, 0..42>
    remove: list<bytes32, 0..42>  # consensus keys
    shrinksTo: u16                # the size that results, if that is below 4 or tolerates fewer faults; else 0
  }
  | 3 rotate: {
    key: bytes32         # consensus key of the validator
    next: bytes32        # as it will be, perhaps the same
    peerKey: bytes32     # as it will be, perhaps the same
    possession: bytes64  # by `next`
  }
  | 4 admit: {
    name: text<1..32>
    administration: {
      administrators: list<bytes32, 1..64>
      threshold: u8
    }
    roles: list<text<1..32>, 0..16>
  }
  | 5 expel: {
    organisation: text<1..32>
  }
  | 6 observer: {
    name: text<1..32>
    organisation: text<1..32>
    peerKey: bytes32
  }
  | 7 removeObserver: {
    peerKey: bytes32
  }
  | 8 limits: {
    role: text<1..32>
    limits: union<
      1 none: {}
      | 2 these: {
        pending: u32
        perSecond: u32
        burst: u32
      }
    >
  }
>

GovernanceProposal = {
  nonce: bytes8
  expires: u64              # block time in ms
  change: GovernanceChange
}

GovernanceApproval = {
  organisation: text<1..32>
  administrator: bytes32
  time: u64                  # block time in ms
}

Ready = {
  epoch: u64               # of the block at `height`
  height: u64              # that the candidate has executed
  protocolVersion: u16
  application: text<1..32>
  applicationVersion: u16
  key: bytes32             # consensus key
  peerKey: bytes32
}

SignedReady = {
  ready: Ready
  signature: bytes64
}

members.approve = Proposal

members.retract = {
  proposal: bytes32
}

governance.approve = GovernanceProposal

governance.retract = {
  proposal: bytes32
}

governance.activate = {
  proposal: bytes32
  ready: list<SignedReady, 1..42>
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

event governance.approved = {
  proposal: bytes32
  organisation: text<1..32>
  by: bytes32
  approvals: u8              # there are now, in this organisation
  threshold: u8
  organisations: u16         # that have approved now
  needed: u16                # of them
}

event governance.retracted = {
  proposal: bytes32
  organisation: text<1..32>
  by: bytes32
}

event governance.passed = {
  proposal: bytes32
  change: GovernanceChange
}

event governance.changed = {
  number: u64
  proposal: bytes32
  change: GovernanceChange
  epoch: u64                # of the next block
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
