/* SPDX-License-Identifier: MIT
 *
 * The ring's notification protocol (ring/ring.h), for Spin: no wake-up is lost, no slot is overrun.
 *
 * Front and back are processes over one shared page on a machine with store buffers, as x86 has them: a store waits in
 * its processor's queue until it drains at some later moment, loads read memory at once, ring_fence waits for the queue to be empty.
 * The front sends REQUESTS requests in batches of any size, sleeps whenever it likes with answers outstanding,
 * and must end; the back may sleep for ever. A lost wake-up is thus an invalid end state, an overrun a failed
 * assertion. Indices start at 254, so that they wrap.
 *
 * It must fail when built with any of -DNO_RECHECK (sleep without looking again), -DNO_FENCE_PUSH (C missing),
 * -DNO_FENCE_IDLE (C' missing), -DNO_LIMIT (the front ignores that the ring is full): tests/model/check runs all.
 */
#define SLOTS    2
#define REQUESTS 4
#define FIRST    254

#define SUB(a, b) (((a) - (b)) & 255) /* indices are bytes here, 32 bits in ring.h */
#ifdef NO_LIMIT
#define ROOM(put, taken) true
#else
#define ROOM(put, taken) (SUB(put, taken) < SLOTS)
#endif

/* Words of the shared page; slot i is word SLOT0 + i. */
#define REQ_PROD  0
#define REQ_EVENT 1
#define RSP_PROD  2
#define RSP_EVENT 3
#define SLOT0     4
byte mem[6];

/* Ghost: who may touch a slot next. */
mtype = { FREE, ASKED, TAKEN, ANSWERED };
mtype owner[SLOTS];

/* Event channels: pending bits. */
bit event_front, event_back;

/* Store buffers. */
chan buf_front = [3] of { byte, byte };
chan buf_back  = [3] of { byte, byte };

proctype drain_front()
{
    byte word, value;
end:
    do
    :: atomic { buf_front ? word, value -> mem[word] = value }
    od
}

proctype drain_back()
{
    byte word, value;
end:
    do
    :: atomic { buf_back ? word, value -> mem[word] = value }
    od
}

proctype front()
{
    byte put = FIRST, pushed = FIRST, taken = FIRST, prod, threshold, from;

    do
    /* ring_front_put */
    :: SUB(put, FIRST) < REQUESTS && ROOM(put, taken) ->
          assert(owner[put % SLOTS] == FREE);
          owner[put % SLOTS] = ASKED;
          buf_front ! SLOT0 + put % SLOTS, put;
          put++
    /* ring_front_push */
    :: pushed != put ->
          from = pushed;
          buf_front ! REQ_PROD, put;
          pushed = put;
#ifndef NO_FENCE_PUSH
          empty(buf_front);
#endif
          threshold = mem[REQ_EVENT];
          if
          :: SUB(pushed, threshold) < SUB(pushed, from) -> event_back = 1
          :: else
          fi
    /* ring_front_take, as long as there is something */
    :: taken != pushed ->
          prod = mem[RSP_PROD];
          assert(SUB(prod, taken) <= SUB(pushed, taken));
          do
          :: prod != taken ->
                assert(owner[taken % SLOTS] == ANSWERED && mem[SLOT0 + taken % SLOTS] == SUB(taken, 100));
                owner[taken % SLOTS] = FREE;
                taken++
          :: else -> break
          od
    /* ring_front_idle, and sleep */
    :: pushed == put && taken != pushed ->
          buf_front ! RSP_EVENT, SUB(taken, 255);
#ifndef NO_FENCE_IDLE
          empty(buf_front);
#endif
#ifdef NO_RECHECK
          event_front -> event_front = 0
#else
          prod = mem[RSP_PROD];
          if
          :: prod == taken -> event_front -> event_front = 0
          :: else
          fi
#endif
    :: SUB(taken, FIRST) == REQUESTS -> break
    od
}

proctype back()
{
    byte taken = FIRST, put = FIRST, pushed = FIRST, prod, threshold, from;

    do
    /* ring_back_take */
    :: prod = mem[REQ_PROD];
#ifndef NO_LIMIT
       assert(SUB(prod, pushed) <= SLOTS);
#endif
       do
       :: prod != taken ->
             assert(owner[taken % SLOTS] == ASKED && mem[SLOT0 + taken % SLOTS] == taken);
             owner[taken % SLOTS] = TAKEN;
             taken++
       :: else -> break
       od
    /* ring_back_put */
    :: put != taken ->
          assert(owner[put % SLOTS] == TAKEN);
          owner[put % SLOTS] = ANSWERED;
          buf_back ! SLOT0 + put % SLOTS, SUB(put, 100);
          put++
    /* ring_back_push */
    :: pushed != put ->
          from = pushed;
          buf_back ! RSP_PROD, put;
          pushed = put;
#ifndef NO_FENCE_PUSH
          empty(buf_back);
#endif
          threshold = mem[RSP_EVENT];
          if
          :: SUB(pushed, threshold) < SUB(pushed, from) -> event_front = 1
          :: else
          fi
    /* ring_back_idle, and sleep: everything taken was answered */
    :: pushed == taken ->
          buf_back ! REQ_EVENT, SUB(taken, 255);
#ifndef NO_FENCE_IDLE
          empty(buf_back);
#endif
#ifndef NO_RECHECK
          prod = mem[REQ_PROD];
          if
          :: prod != taken -> goto awake
          :: else
          fi;
#endif
end_asleep:
          event_back -> event_back = 0;
awake:    skip
    od
}

init
{
    atomic {
        mem[REQ_PROD] = FIRST; mem[RSP_PROD] = FIRST;
        mem[REQ_EVENT] = SUB(FIRST, 255); mem[RSP_EVENT] = SUB(FIRST, 255);
        owner[0] = FREE; owner[1] = FREE;
        run drain_front(); run drain_back(); run front(); run back()
    }
}
