"""Consensus among the authorities: Simplex, with a vote log, and silent while there is no work.

A view has one leader, who may propose one block. Authorities *notarize* it, and a quorum of these
votes, the notarization, opens the next view; those who saw it vote to *finalize*, and a quorum of
these makes the block and its ancestors final. If the view does not get on, they *nullify* it, and
the nullification opens the next view as well. A block must stand on the newest notarized one, and
show that all views in between are nullified. That is the whole protocol (Chan and Pass, "Simplex
Consensus", TCC 2023); the safety argument is in docs/protocol.md.

    interface       inputs, effects, and what is asked of the application
    machine         one step: check, record, apply the rules until they rest
    admission       checks of what others say
    listening       before we sign anything after a start
    certificates    votes become certificates, certificates move the view
    voting          what we sign; proposals: whether we may
    pacemaker       when to be awake
    finality        finalized blocks in order
    retransmission  saying it again, and helping others
    alarms          what timers do; questions: what is asked for; recovery: how it starts
    freezing        what a frozen authority reports, when too many others are lost
    state, rounds, fetches, timing, electorate, log, guard, report: what the rules know and use
"""

from protocol.consensus.admission import NotAVoter, WrongEpoch, epoch_of_message
from protocol.consensus.electorate import Electorate, electorate, leader_order
from protocol.consensus.freezing import report_of
from protocol.consensus.interface import (
    Application,
    BlocksSynced,
    Broadcast,
    CancelTimer,
    ConsensusTimer,
    Effect,
    EventsAdmitted,
    FinalizeBlocks,
    Halt,
    HaltReason,
    Input,
    Instant,
    MessageReceived,
    PeerConnected,
    PeerDisconnected,
    Persist,
    Persisted,
    PushEvents,
    ReportEquivocation,
    Send,
    SetTimer,
    Started,
    TimerFired,
    TimerKind,
)
from protocol.consensus.log import (
    CertificateLogged,
    Frozen,
    LogRecord,
    OwnVote,
    ProposalLogged,
    StrayVote,
    epoch_of,
    is_settled,
    view_of,
)
from protocol.consensus.machine import Consensus
from protocol.consensus.pacemaker import Reason
from protocol.consensus.proposals import may_be_empty
from protocol.consensus.report import AuthoritySeen, Waiting

__all__ = [
    "Application",
    "AuthoritySeen",
    "BlocksSynced",
    "Broadcast",
    "CancelTimer",
    "CertificateLogged",
    "Consensus",
    "ConsensusTimer",
    "Effect",
    "Electorate",
    "EventsAdmitted",
    "FinalizeBlocks",
    "Frozen",
    "Halt",
    "HaltReason",
    "Input",
    "Instant",
    "LogRecord",
    "MessageReceived",
    "NotAVoter",
    "OwnVote",
    "PeerConnected",
    "PeerDisconnected",
    "Persist",
    "Persisted",
    "ProposalLogged",
    "PushEvents",
    "Reason",
    "ReportEquivocation",
    "Send",
    "SetTimer",
    "Started",
    "StrayVote",
    "TimerFired",
    "TimerKind",
    "Waiting",
    "WrongEpoch",
    "electorate",
    "epoch_of",
    "epoch_of_message",
    "is_settled",
    "leader_order",
    "may_be_empty",
    "report_of",
    "view_of",
]
