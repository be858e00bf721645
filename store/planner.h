#ifndef RANKSWEEP_PLANNER_H
#define RANKSWEEP_PLANNER_H

struct sqlite3;

int keep_plans_everywhere(void);

#endif
