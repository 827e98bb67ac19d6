# a line of expected.tsv for each file, as this interpreter reads it: totals.py FILE…
import sys, pickle, collections
for name in sys.argv[1:]:
    s=pickle.load(open(name,"rb"))
    sites=collections.Counter()
    for x in s.traces._traces:
        if len(x)==2: x=(0,)+x
        if len(x)==3: x=x+(0,)
        sites[x]+=1
    print(name, len(s.traces._traces), sum(x[1]*n for x,n in sites.items()), len(sites), len({x[2:] for x in sites}), s.traceback_limit, sep="\t")
