/* SPDX-License-Identifier: MIT
 *
 * A count of running jobs and the first bad status: all that `wait` needs.
 */
#include "pvkernel/core/jobs.h"
#include "pvkernel/core/console.h"
#include "pvkernel/core/errno.h"
#include "pvkernel/core/kalloc.h"
#include "pvkernel/core/process.h"
#include "pvkernel/core/thread.h"

#define LOOK_NS 50000000ull /* how soon Ctrl-C is seen */

struct job {
    int (*run)(void *arg);
    void *arg;
};

static struct {
    struct lock lock;
    unsigned running;
    int status;
    struct waitq ended;
} jobs = { .lock = { .rank = LOCK_WAIT }, .ended = { LIST_INIT(jobs.ended.waiters) } };

static void job_main(void *arg)
{
    struct job job = *(struct job *)arg;
    kfree(arg);
    int status = job.run(job.arg);
    if (console_prompt) /* else somebody waits, or nobody looks */
        console_note("%s &: ended with status %d\n", thread_current()->name, status);
    bool on = lock(&jobs.lock);
    jobs.running--;
    if (!jobs.status)
        jobs.status = status;
    wake_all(&jobs.ended);
    unlock(&jobs.lock, on);
}

int job_start(const char *name, int (*run)(void *arg), void *arg)
{
    struct job *job = kalloc(sizeof(*job));
    if (!job)
        return -KE_NOMEM;
    *job = (struct job){ run, arg };
    bool on = lock(&jobs.lock);
    struct thread *t = thread_start(name, job_main, job);
    if (t)
        jobs.running++;
    unlock(&jobs.lock, on);
    if (!t)
        kfree(job);
    return t ? 0 : -KE_NOMEM;
}

int jobs_wait(void)
{
    int status;
    console_interrupted();
    bool on = lock(&jobs.lock), stop = false;
    while (jobs.running && !stop) {
        wait_until(&jobs.ended, &jobs.lock, "jobs", arch_time_ns() + LOOK_NS);
        unlock(&jobs.lock, on);
        stop = console_interrupted();
        on = lock(&jobs.lock);
    }
    status = jobs.running ? STATUS_INTERRUPT : jobs.status;
    jobs.status = 0;
    unlock(&jobs.lock, on);
    return status;
}
