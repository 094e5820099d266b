"""What stands between Granian's sockets and Django: it reads each request to its end before a thread works on it.

listening   the part of Granian that is used; the start and the end of a process
reception   which lane answers a request, and whether its body is admitted
staff       the member of staff who sends a large body
bodies      reading bodies, with a limit of bytes and a deadline
lanes       threads that answer complete requests
places      where requests wait for a thread; addresses take turns
late        answers that are held back, so that floods wait
waiting     requests that wait until a record changes
streams     answers too long to be kept in memory, sent as fast as their callers take them
callers     the address of a caller
environ     the request as Django expects it
refusals    answers without Django: 408, 413, 429, 500, 503
"""
