// Fast mock OpenAI-compatible upstream. Single-threaded epoll; C; no dependencies.
// build: gcc -O2 -o mock_upstream mock_upstream.c -lm     run: ./mock_upstream [-p 9000] [-s seed] [-n procs]
// POST */chat/completions   (GET /stats -> counters, `gone`: left by the client before their end, and when the last stream began, GET /reset, GET */models)
// Control is the model name, '-'-separated fields:
//   lat50      fixed latency (ms) to first byte        | ln50s80  lognormal: median 50ms, sigma 0.80  (replaces lat)
//   tok200     number of tokens                        | itl5     ms between tokens (SSE); non-stream total = lat + tok*itl
//   e500p5     5% HTTP 500 | e429p5 5% HTTP 429 (retry-after: ra<sec>, default 1) | ra1
//   hangp5     5% never answered  ("hang" = 100%)      | cutp5    5% of streams cut at the middle token ("cut" = 100%)
//   pad100     extra bytes in each token text           | vary     words that differ from call to call
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <errno.h>
#include <math.h>
#include <time.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <stdint.h>
typedef struct { double lat, sigma; int tok; double itl; double p500,p429,phang,pcut; int ra, pad, n, vary; } Spec;
typedef struct Conn { int fd; char *in; int inlen, incap; char *out; int outlen, outoff, outcap; int state; /*0 reading,1 busy*/
  int stream, sent, closing, cutat; Spec sp; uint64_t gen; double due; double next; char model[160]; int pollout; int code; } Conn;
typedef struct { double t; Conn *c; uint64_t gen; } Ev;
static Ev *heap; static int hn, hcap; static int ep;
static uint64_t rs=88172645463325252ULL; static double rnd(){ rs^=rs<<13; rs^=rs>>7; rs^=rs<<17; return (rs>>11)*(1.0/9007199254740992.0);}
static double now(){ struct timespec t; clock_gettime(CLOCK_MONOTONIC,&t); return t.tv_sec*1e3+t.tv_nsec*1e-6; }
static double first_token; /* CLOCK_MONOTONIC ms at which the last stream was given its first token */
static uint64_t n_req,n_200,n_429,n_500,n_hang,n_cut,n_conn,n_stream,n_gone; static int inflight,maxinflight; static double sumlat;
static void hpush(double t, Conn*c){ if(hn==hcap){hcap=hcap?hcap*2:1024;heap=realloc(heap,hcap*sizeof(Ev));} int i=hn++; Ev e={t,c,c->gen}; while(i){int p=(i-1)/2; if(heap[p].t<=t)break; heap[i]=heap[p]; i=p;} heap[i]=e;}
static Ev hpop(){ Ev r=heap[0]; Ev e=heap[--hn]; int i=0; for(;;){int k=2*i+1; if(k>=hn)break; if(k+1<hn&&heap[k+1].t<heap[k].t)k++; if(heap[k].t>=e.t)break; heap[i]=heap[k]; i=k;} heap[i]=e; return r;}
static void oput(Conn*c,const char*s,int n){ if(c->outlen+n>c->outcap){ c->outcap=(c->outlen+n)*2+4096; c->out=realloc(c->out,c->outcap);} memcpy(c->out+c->outlen,s,n); c->outlen+=n;}
static uint64_t gengen=1; static void process(Conn*c);
static Conn *deadlist[65536]; static int ndead;
static void cclose(Conn*c){ if(c->fd>=0){ close(c->fd); c->fd=-1; if(c->state){inflight--; if(!c->closing)n_gone++;} c->state=0; c->gen=++gengen; n_conn--; free(c->in);free(c->out); c->in=c->out=0; /* Conn leaked into freelist lazily */ if(ndead<65536) deadlist[ndead++]=c; } }
static int flush(Conn*c){ while(c->outoff<c->outlen){ int k=send(c->fd,c->out+c->outoff,c->outlen-c->outoff,MSG_NOSIGNAL); if(k<0){ if(errno==EAGAIN){ if(!c->pollout){struct epoll_event e={.events=EPOLLIN|EPOLLOUT,.data.ptr=c}; epoll_ctl(ep,EPOLL_CTL_MOD,c->fd,&e); c->pollout=1;} return 0;} cclose(c); return -1;} c->outoff+=k;} c->outoff=c->outlen=0; if(c->pollout){struct epoll_event e={.events=EPOLLIN,.data.ptr=c}; epoll_ctl(ep,EPOLL_CTL_MOD,c->fd,&e); c->pollout=0;} if(c->closing){cclose(c);return -1;} return 0;}
static const char*W[16]={"alpha","river","stone","maple","orbit","cloud","delta","lemon","panda","quick","robin","sigma","tiger","ultra","vivid","zebra"};
static char padbuf[4096];
static int word(char*b,int i,Spec*s){ return s->vary?sprintf(b," %s%c%.*s",W[(i*7+3)&15],'a'+s->vary%26,s->pad,padbuf):sprintf(b," %s%.*s",W[(i*7+3)&15],s->pad,padbuf);}
static void parse_spec(const char*m,Spec*s){ memset(s,0,sizeof*s); s->tok=10; s->ra=1; char b[160]; strncpy(b,m,159); b[159]=0; char*sv; for(char*f=strtok_r(b,"-",&sv);f;f=strtok_r(0,"-",&sv)){ double v;int a,q; 
 if(sscanf(f,"lat%lf",&v)==1)s->lat=v; else if(sscanf(f,"ln%ds%d",&a,&q)==2){s->lat=a;s->sigma=q/100.0;} else if(sscanf(f,"tok%d",&a)==1)s->tok=a; else if(sscanf(f,"itl%lf",&v)==1)s->itl=v; else if(sscanf(f,"e500p%lf",&v)==1)s->p500=v/100; else if(sscanf(f,"e429p%lf",&v)==1)s->p429=v/100; else if(sscanf(f,"hangp%lf",&v)==1)s->phang=v/100; else if(!strcmp(f,"hang"))s->phang=1; else if(sscanf(f,"cutp%lf",&v)==1)s->pcut=v/100; else if(!strcmp(f,"cut"))s->pcut=1; else if(!strcmp(f,"vary"))s->vary=1+(int)(n_req%26); else if(sscanf(f,"ra%d",&a)==1)s->ra=a; else if(sscanf(f,"pad%d",&a)==1)s->pad=a>4000?4000:a; } }
static char *memfind(char*h,int n,const char*k){ return memmem(h,n,k,strlen(k)); }
static void done(Conn*c){ c->state=0; inflight--; c->gen=++gengen; }
static void simple(Conn*c,int code,const char*reason,const char*extra,const char*body){ char b[1024]; int n=sprintf(b,"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\n%scontent-length: %d\r\n\r\n%s",code,reason,extra,(int)strlen(body),body); oput(c,b,n);}
static void chunk(Conn*c,const char*d,int n){ char h[16]; int k=sprintf(h,"%x\r\n",n); oput(c,h,k); oput(c,d,n); oput(c,"\r\n",2);}
static void fire(Conn*c){ // due
  char b[8192]; Spec*s=&c->sp; double t=now();
  if(c->code==500){ n_500++; simple(c,500,"Internal Server Error","","{\"error\":{\"message\":\"mock internal error\",\"type\":\"server_error\",\"code\":500}}"); done(c); if(flush(c)==0)process(c); return; }
  if(c->code==429){ n_429++; char x[64]; sprintf(x,"retry-after: %d\r\n",s->ra); simple(c,429,"Too Many Requests",x,"{\"error\":{\"message\":\"mock rate limit\",\"type\":\"rate_limit_error\",\"code\":\"rate_limit_exceeded\"}}"); done(c); if(flush(c)==0)process(c); return; }
  if(!c->stream){ 
    if(c->cutat){ n_cut++; int n=sprintf(b,"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{\"id\":\"chatcmpl-mock\",\"object\":\"chat.compl"); oput(c,b,n); c->closing=1; flush(c); return; }
    static char body[1<<20]; int n=sprintf(body,"{\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"%s\",\"choices\":[",c->model);
    for(int ci=0;ci<s->n;ci++){ n+=sprintf(body+n,"%s{\"index\":%d,\"message\":{\"role\":\"assistant\",\"content\":\"",ci?",":"",ci); for(int i=0;i<s->tok&&n<(1<<20)-9000;i++) n+=word(body+n,i,s); n+=sprintf(body+n,"\"},\"logprobs\":null,\"finish_reason\":\"stop\"}"); }
    n+=sprintf(body+n,"],\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":%d,\"total_tokens\":%d}}",s->tok*s->n,s->tok*s->n+20);
    int k=sprintf(b,"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n",n); oput(c,b,k); oput(c,body,n); n_200++; done(c); if(flush(c)==0)process(c); return; }
  if(c->sent<0){ int k=sprintf(b,"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"); oput(c,b,k); k=sprintf(b,"data: {\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"%s\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",c->model); chunk(c,b,k); c->sent=0; c->next=c->due; first_token=t; }
  char w[4200];
  while(c->sent<s->tok && c->next<=t+0.05){ 
    if(c->cutat && c->sent==c->cutat){ n_cut++; c->closing=1; flush(c); return; }
    word(w,c->sent,s); int k=sprintf(b,"data: {\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"%s\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",c->model,w); chunk(c,b,k); c->sent++; c->next+=s->itl; }
  if(c->sent>=s->tok){ int k=sprintf(b,"data: {\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"%s\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\n",c->model,s->tok,s->tok+20); chunk(c,b,k); chunk(c,"data: [DONE]\n\n",14); oput(c,"0\r\n\r\n",5); n_200++; done(c); if(flush(c)==0)process(c); return; }
  if(flush(c)==0) hpush(c->next,c);
}
static void process(Conn*c){ while(c->fd>=0 && c->state==0 && c->inlen>0){ char*he=memfind(c->in,c->inlen,"\r\n\r\n"); if(!he)return; int hl=he-c->in+4; long cl=0; int chunked=0; 
  for(char*p=c->in;p<he;){ char*e=memfind(p,he-p+2,"\r\n"); if(!e)break; if(e-p>15&&!strncasecmp(p,"content-length:",15))cl=atol(p+15); if(e-p>18&&!strncasecmp(p,"transfer-encoding:",18))chunked=1; if(e-p>=22&&!strncasecmp(p,"expect: 100-continue",20)&&c->inlen==hl){ oput(c,"HTTP/1.1 100 Continue\r\n\r\n",25); flush(c);} p=e+2; }
  int total; if(chunked){ char*z=memfind(c->in+hl,c->inlen-hl,"\r\n0\r\n\r\n"); if(!z&&!(c->inlen-hl>=5&&!memcmp(c->in+hl,"0\r\n\r\n",5)))return; total=z?(z+7-c->in):hl+5; cl=total-hl;} else total=hl+cl;
  if(c->inlen<total)return;
  char*body=c->in+hl; int isget=c->in[0]=='G';
  if(isget){ char b[1024]; if(memfind(c->in,he-c->in,"/stats")){ sprintf(b,"{\"req\":%lu,\"ok\":%lu,\"e429\":%lu,\"e500\":%lu,\"hang\":%lu,\"cut\":%lu,\"stream\":%lu,\"gone\":%lu,\"conns\":%lu,\"inflight\":%d,\"max_inflight\":%d,\"first_token\":%.3f}",n_req,n_200,n_429,n_500,n_hang,n_cut,n_stream,n_gone,n_conn,inflight,maxinflight,first_token); } else if(memfind(c->in,he-c->in,"/reset")){ n_req=n_200=n_429=n_500=n_hang=n_cut=n_stream=n_gone=0; maxinflight=0; strcpy(b,"{}"); } else strcpy(b,"{\"object\":\"list\",\"data\":[{\"id\":\"mock-lat50-tok200\",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"mock\"}]}"); simple(c,200,"OK","",b); memmove(c->in,c->in+total,c->inlen-total); c->inlen-=total; if(flush(c))return; continue; }
  n_req++; c->model[0]=0; char*m=memfind(body,cl,"\"model\""); if(m){ m+=7; while(m<body+cl&&*m!='"')m++; m++; int i=0; while(m<body+cl&&*m!='"'&&i<158)c->model[i++]=*m++; c->model[i]=0; }
  c->stream=0; char*st=memfind(body,cl,"\"stream\""); if(st){ st+=8; while(*st==':'||*st==' ')st++; c->stream=*st=='t'; } if(c->stream)n_stream++;
  parse_spec(c->model,&c->sp); Spec*s=&c->sp; s->n=1; char*nn=memfind(body,cl,"\"n\""); if(nn){nn+=3; while(*nn==':'||*nn==' ')nn++; int v=atoi(nn); if(v>1&&v<65)s->n=v;} double lat=s->lat; if(s->sigma>0){ double u=rnd(),v=rnd(); if(u<1e-12)u=1e-12; double z=sqrt(-2*log(u))*cos(2*M_PI*v); lat=s->lat*exp(s->sigma*z);} 
  memmove(c->in,c->in+total,c->inlen-total); c->inlen-=total;
  c->state=1; inflight++; if(inflight>maxinflight)maxinflight=inflight; c->sent=-1; c->cutat=0; c->code=200; c->gen=++gengen;
  double u=rnd(); if(u<s->phang){ n_hang++; return; } if(rnd()<s->p500)c->code=500; else if(rnd()<s->p429)c->code=429; else if(rnd()<s->pcut) c->cutat=s->tok/2?s->tok/2:1;
  double t=now(); if(c->code!=200) lat=lat>5?5:lat; c->due=t+lat; double at=c->due; if(!c->stream&&c->code==200) at+=s->tok*s->itl; 
  if(at<=t+0.001) fire(c); else hpush(at,c); } }
int main(int ac,char**av){ int port=9000,nproc=1; for(int i=1;i<ac;i++){ if(!strcmp(av[i],"-p"))port=atoi(av[++i]); else if(!strcmp(av[i],"-s"))rs=strtoull(av[++i],0,10)*2654435761ULL+88172645463325252ULL; else if(!strcmp(av[i],"-n"))nproc=atoi(av[++i]); }
  memset(padbuf,'x',sizeof padbuf); signal(SIGPIPE,SIG_IGN); 
  for(int i=1;i<nproc;i++) if(fork()==0)break;
  int ls=socket(AF_INET,SOCK_STREAM|SOCK_NONBLOCK,0),one=1; setsockopt(ls,SOL_SOCKET,SO_REUSEADDR,&one,4); setsockopt(ls,SOL_SOCKET,SO_REUSEPORT,&one,4); struct sockaddr_in a={.sin_family=AF_INET,.sin_port=htons(port)}; a.sin_addr.s_addr=htonl(INADDR_LOOPBACK); if(bind(ls,(void*)&a,sizeof a)){perror("bind");return 1;} listen(ls,4096);
  ep=epoll_create1(0); struct epoll_event e={.events=EPOLLIN,.data.ptr=0}; epoll_ctl(ep,EPOLL_CTL_ADD,ls,&e); struct epoll_event ev[512];
  for(;;){ struct timespec to,*pt=0; if(hn){ double d=heap[0].t-now(); if(d<0)d=0; to.tv_sec=(long)(d/1e3); to.tv_nsec=(long)((d-to.tv_sec*1e3)*1e6); pt=&to; }
    int n=epoll_pwait2(ep,ev,512,pt,0);
    for(int i=0;i<n;i++){ Conn*c=ev[i].data.ptr; if(!c){ int fd; while((fd=accept4(ls,0,0,SOCK_NONBLOCK))>=0){ setsockopt(fd,IPPROTO_TCP,TCP_NODELAY,&one,4); Conn*k=ndead>1024?deadlist[--ndead]:0; if(k)memset(k,0,sizeof*k); else k=calloc(1,sizeof*k); k->fd=fd; k->gen=++gengen; k->incap=8192; k->in=malloc(8192); n_conn++; struct epoll_event x={.events=EPOLLIN,.data.ptr=k}; epoll_ctl(ep,EPOLL_CTL_ADD,fd,&x);} continue; }
      if(c->fd<0)continue; if(ev[i].events&EPOLLOUT){ if(flush(c))continue; if(c->fd<0)continue; }
      if(ev[i].events&(EPOLLIN|EPOLLHUP|EPOLLERR)){ for(;;){ if(c->incap-c->inlen<4096){c->incap*=2;c->in=realloc(c->in,c->incap);} int room=c->incap-c->inlen-1; int k=recv(c->fd,c->in+c->inlen,room,0); if(k>0){c->inlen+=k; c->in[c->inlen]=0; if(k<room)break; continue;} if(k<0&&errno==EAGAIN)break; cclose(c); break; } if(c->fd>=0)process(c); } }
    double t=now()+0.02; while(hn&&heap[0].t<=t){ Ev x=hpop(); if(x.c->gen==x.gen&&x.c->fd>=0&&x.c->state==1) fire(x.c); }
  } }
