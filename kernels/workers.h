/* Threads that wait for work: a task is cut into parts, at least one for each thread. The caller does part 0 itself and each worker one
 * of the others; whoever is through takes one more that nobody has begun.
 *
 * Workers know nothing of Python. After a task they look out for the next one for a millisecond, for one training step has
 * several, and then sleep. One task runs at a time: who finds the workers busy does all parts alone. */
#pragma once

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define RELAX() _mm_pause()
#elif defined(__aarch64__)
#define RELAX() __asm__ volatile("yield")
#else
#define RELAX() (void)0
#endif

#define MOST_WORKERS 256
#define THREADS (2 * MOST_WORKERS)
#define MOST_PARTS (4 * MOST_WORKERS)
#define LOOKOUT 1000000 /* nanoseconds */

typedef void (*PartOf)(void *task, int part);

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_int task_word; /* the number of the task, and in the last bits for how many threads: read at once, both fit together */
    atomic_int parts;
    atomic_int pending;   /* parts from 1 on that are not done */
    atomic_int open[MOST_PARTS]; /* of each of them: the task's word while nobody has taken it */
    atomic_int busy;
    atomic_int core; /* where the caller was when the task began */
    int workers;
    PartOf part; /* what to do: only who has a part may look, for the next task may come as soon as those are through */
    void *task;
} crew = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0, {0}, 0, -1, 0, 0, 0};

static _Thread_local int thread_number; /* of a worker, from 1 on; 0 of any other thread */

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Looks out for *value to differ from `was`, until the time is up. */
static int changed_in(atomic_int *value, int was, int64_t time) {
    const int64_t end = nanoseconds() + time;
    do {
        for (int k = 0; k < 64; k++) {
            if (atomic_load_explicit(value, memory_order_acquire) != was) return 1;
            RELAX();
        }
    } while (nanoseconds() < end);
    return 0;
}

/* Leaves the caller's core, if it is this thread's too. The system lets two threads share one core for as long as others keep the rest
 * busy, if only by looking out for work, as those of a BLAS do for a tenth of a second; each of the two then waits for the other. */
static void make_way(void) {
#if defined(__linux__)
    cpu_set_t allowed, others;
    const int core = sched_getcpu();
    if (core < 0 || core >= CPU_SETSIZE || core != atomic_load(&crew.core)) return;
    if (sched_getaffinity(0, sizeof allowed, &allowed)) return;
    others = allowed;
    CPU_CLR(core, &others);
    if (CPU_COUNT(&others) && !sched_setaffinity(0, sizeof others, &others)) sched_setaffinity(0, sizeof allowed, &allowed);
#endif
}

/* Does a part of the task of that word, unless somebody else has taken it or the task is over. */
static void do_part(int part, int word) {
    if (!atomic_compare_exchange_strong(&crew.open[part], &(int){word}, 0)) return;
    crew.part(crew.task, part);
    atomic_fetch_sub(&crew.pending, 1);
}

/* What nobody has begun of the task of that word: who sleeps, or has lost its core, is not waited for. */
static void open_parts(int word) {
    for (int k = atomic_load(&crew.parts) - 1; k > 0; k--) do_part(k, word);
}

static void *work(void *start) {
    const int number = thread_number = (int)((intptr_t)start & (MOST_WORKERS - 1));
    int seen = (int)((intptr_t)start / MOST_WORKERS), needed = 1;
    for (;;) {
        if (!needed || !changed_in(&crew.task_word, seen, LOOKOUT)) {
            pthread_mutex_lock(&crew.lock);
            while (atomic_load(&crew.task_word) == seen) pthread_cond_wait(&crew.wake, &crew.lock);
            pthread_mutex_unlock(&crew.lock);
        }
        seen = atomic_load(&crew.task_word);
        needed = number < seen % THREADS;
        if (needed) {
            make_way();
            do_part(number, seen);
            open_parts(seen);
        }
    }
    return NULL;
}

static void alone_after_fork(void) {
    pthread_mutex_init(&crew.lock, NULL);
    pthread_cond_init(&crew.wake, NULL);
    crew.workers = 0;
    atomic_store(&crew.busy, 0);
    atomic_store(&crew.pending, 0);
}

/* Wakes as many workers as there are to be threads beside this one; 0 if they are busy, or the system has no threads to give. */
static int begin_parts(PartOf part, void *task, int parts, int threads) {
    static int prepared;
    if (parts > MOST_PARTS || threads > MOST_WORKERS || threads > parts || atomic_exchange(&crew.busy, 1)) return 0;
    if (!prepared) prepared = pthread_atfork(NULL, NULL, alone_after_fork) == 0;
    while (crew.workers < threads - 1) {
        pthread_t thread;
        const intptr_t start = (intptr_t)atomic_load(&crew.task_word) * MOST_WORKERS + crew.workers + 1;
        if (pthread_create(&thread, NULL, work, (void *)start)) {
            atomic_store(&crew.busy, 0);
            return 0;
        }
        pthread_detach(thread);
        crew.workers++;
    }
#if defined(__linux__)
    atomic_store(&crew.core, sched_getcpu());
#endif
    crew.part = part;
    crew.task = task;
    atomic_store(&crew.pending, parts - 1);
    atomic_store(&crew.parts, parts);
    const int word = (atomic_load(&crew.task_word) / THREADS + 1) % (1 << 20) * THREADS + threads;
    for (int k = 1; k < parts; k++) atomic_store(&crew.open[k], word);
    pthread_mutex_lock(&crew.lock);
    atomic_store(&crew.task_word, word);
    pthread_cond_broadcast(&crew.wake);
    pthread_mutex_unlock(&crew.lock);
    return 1;
}

static void other_parts(void) { open_parts(atomic_load(&crew.task_word)); }

/* Waits for the workers, so many nanoseconds at most; 1 when they are through, and free for the next task. */
static int parts_done(int64_t time) {
    const int64_t end = nanoseconds() + time;
    int left;
    while ((left = atomic_load(&crew.pending)))
        if (!changed_in(&crew.pending, left, LOOKOUT)) {
            if (nanoseconds() > end) return 0;
            sched_yield();
        }
    atomic_store(&crew.busy, 0);
    return 1;
}
