# writes the traces of a dump as 3.4 and 3.5 did, (size, traceback): two_fields.py FILE OUT
import sys, pickle, tracemalloc
s=pickle.load(open(sys.argv[1],"rb"))
raw=[(x[1],x[2]) for x in s.traces._traces if x[0]==0]
pickle.dump(tracemalloc.Snapshot(raw,s.traceback_limit),open(sys.argv[2],"wb"),4)
