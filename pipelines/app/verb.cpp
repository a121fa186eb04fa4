#include "pipelines/app/verb.h"

#include "pipelines/packs/shards/shard_verbs.h"

namespace musher {

std::vector<const Verb*> all_verbs() {
    std::vector<const Verb*> all;
    for (const std::vector<Verb>* verbs :
         {&local_verbs(), &remote_verbs(), &job_verbs(), &shard_verbs()}) {
        for (const Verb& verb : *verbs) all.push_back(&verb);
    }
    return all;
}

}  // namespace musher
